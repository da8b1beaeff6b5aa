/** The live feed, read by `fetch`, which can send the credential. It resumes by `Last-Event-ID`, without a gap. */

import { open } from "./api.js";
import { parseJson } from "./json.js";
import { ApiProblem } from "./problem.js";

const RETRY_MS = 1000;
/** Statuses after which the same request can succeed later. */
const TEMPORARY = new Set([0, 429, 500, 502, 503, 504]);

/**
 * @typedef {object} Follower
 * @property {(event: any) => void} onEvent called for each event, in order of position
 * @property {(state: "connecting" | "live" | "waiting") => void=} onState
 * @property {(position: number) => void=} onPosition the position up to which everything was received
 */

/**
 * Follow the history after a position until the signal aborts.
 *
 * It connects again when the connection ends, also over a restart of the service.
 *
 * @param {number} after
 * @param {Record<string, string> | URLSearchParams} filters of `GET /events/stream`
 * @param {Follower} follower
 * @param {AbortSignal} signal
 * @throws {ApiProblem} for an answer that does not change by waiting, such as 401 or 403
 */
export async function follow(after, filters, follower, signal) {
  let position = after;
  let retryMs = RETRY_MS;
  while (!signal.aborted) {
    follower.onState?.("connecting");
    try {
      const params = new URLSearchParams(filters);
      params.set("after", String(position));
      const headers = { accept: "text/event-stream" };
      const response = await open("GET", "events/stream", { params, headers, signal });
      follower.onState?.("live");
      for await (const message of messages(response)) {
        if (message.retryMs !== null) retryMs = message.retryMs;
        if (message.id === null) continue;
        position = message.id;
        if (message.data !== "") follower.onEvent(parseJson(message.data));
        follower.onPosition?.(position);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiProblem && !TEMPORARY.has(error.status)) throw error;
      if (error instanceof ApiProblem && error.retryAfterSeconds) retryMs = error.retryAfterSeconds * 1000;
    }
    if (signal.aborted) return;
    follower.onState?.("waiting");
    await pause(retryMs, signal);
  }
}

/**
 * Read server-sent events (WHATWG HTML, section 9.2).
 *
 * @param {Response} response
 * @returns {AsyncGenerator<{id: number | null, data: string, retryMs: number | null}>}
 */
async function* messages(response) {
  if (response.body === null) return;
  let rest = "";
  for await (const chunk of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
    const blocks = (rest + chunk).split("\n\n");
    rest = blocks.pop() ?? "";
    yield* blocks.map(toMessage);
  }
}

/** @param {string} block */
function toMessage(block) {
  /** @type {{id: number | null, data: string, retryMs: number | null}} */
  const message = { id: null, data: "", retryMs: null };
  for (const line of block.split("\n")) {
    const [, field = "", value = ""] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "id") message.id = Number(value);
    if (field === "data") message.data = value; // the service writes an event as one line
    if (field === "retry") message.retryMs = Number(value);
  }
  return message;
}

/**
 * Read a stream. Not every browser can iterate over one by itself.
 *
 * @template T
 * @param {ReadableStream<T>} stream
 * @returns {AsyncGenerator<T>}
 */
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/**
 * @param {number} delayMs
 * @param {AbortSignal} signal
 */
function pause(delayMs, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });
}
