/** The live feed, read by `fetch`, which can send the credential. It resumes after the last position, without a gap. */

import { open } from "./api.js";
import { parseJson } from "./json.js";
import { ApiProblem, noAnswer } from "./problem.js";
import { MessageParser } from "./server_sent_events.js";

const RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;
/** The service sends something at least every 15 seconds. A connection that is silent for longer is dead. */
const SILENCE_MS = 40_000;
/** A connection that lived this long worked, even if the log did not grow. */
const WORKED_MS = 10_000;
/** Statuses after which the same request can succeed later. */
const TEMPORARY = new Set([0, 429, 500, 502, 503, 504]);

/**
 * @typedef {object} Follower
 * @property {(event: any) => void} onEvent called for each event, in order of position
 * @property {((state: "connecting" | "live" | "waiting", problem: ApiProblem | null) => void)=} onState `waiting` has the
 *   problem that ended the connection. Without one the service ended it, which is normal
 * @property {((position: number) => void)=} onPosition the position up to which everything was received
 */

/**
 * Follow the history after a position until the signal aborts.
 *
 * It connects again when the connection ends, also over a restart of the service: after the time that the service gave,
 * and after a longer one each time that nothing was received.
 *
 * @param {number} after
 * @param {Record<string, string> | URLSearchParams} filters of `GET /events/stream`
 * @param {Follower} follower
 * @param {AbortSignal} signal
 * @throws {ApiProblem} for an answer that does not change by waiting, such as 401 or 403
 */
export async function follow(after, filters, follower, signal) {
  const place = { position: after, retryMs: RETRY_MS };
  let failures = 0;
  while (!signal.aborted) {
    follower.onState?.("connecting", null);
    const { position } = place;
    const startMs = performance.now();
    /** @type {ApiProblem | null} */
    let problem = null;
    try {
      await read(place, filters, follower, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiProblem) || !TEMPORARY.has(error.status)) throw error;
      problem = error;
    }
    if (signal.aborted) return;
    const worked = place.position > position || performance.now() - startMs > WORKED_MS;
    failures = worked ? 0 : failures + 1;
    follower.onState?.("waiting", problem);
    await pause(delayMs(place.retryMs, failures, problem), signal);
  }
}

/**
 * Read one connection until it ends.
 *
 * @param {{position: number, retryMs: number}} place what was received so far; it is kept up to date
 * @param {Record<string, string> | URLSearchParams} filters
 * @param {Follower} follower
 * @param {AbortSignal} signal
 */
async function read(place, filters, follower, signal) {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENCE_MS);
  try {
    const params = new URLSearchParams(filters);
    params.set("after", String(place.position));
    const headers = { accept: "text/event-stream" };
    const either = AbortSignal.any([signal, silent.signal]);
    const { body } = await open("GET", "events/stream", { params, headers, signal: either });
    follower.onState?.("live", null);
    const parser = new MessageParser();
    for await (const text of chunks(body?.pipeThrough(new TextDecoderStream()))) {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), SILENCE_MS);
      for (const { id, data, retryMs } of parser.push(text)) {
        if (signal.aborted) return;
        if (retryMs !== null) place.retryMs = retryMs;
        if (id === null) continue;
        if (data !== null) follower.onEvent(parseJson(data));
        place.position = id; // after its event, so that none is lost
        follower.onPosition?.(id);
      }
    }
  } catch (error) {
    if (silent.signal.aborted) throw noAnswer();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Read a stream. Not every browser can iterate over one by itself.
 *
 * @template T
 * @param {ReadableStream<T> | undefined} stream
 * @returns {AsyncGenerator<T>}
 * @throws {ApiProblem} if the connection was lost
 */
async function* chunks(stream) {
  if (stream === undefined) return;
  const reader = stream.getReader();
  const next = () =>
    reader.read().catch(() => {
      throw noAnswer();
    });
  try {
    for (let part = await next(); !part.done; part = await next()) yield part.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/**
 * Return how long to wait before the next connection: longer each time that nothing was received, never shorter than the
 * service asked for, and not the same for all clients of a service that was lost.
 *
 * @param {number} retryMs
 * @param {number} failures
 * @param {ApiProblem | null} problem
 */
function delayMs(retryMs, failures, problem) {
  const backoffMs = Math.min(MAX_RETRY_MS, retryMs * 2 ** Math.max(0, failures - 1));
  return Math.max(backoffMs, (problem?.retryAfterSeconds ?? 0) * 1000) * (1 + Math.random() / 4);
}

/**
 * Wait, at most until the signal aborts or the browser is connected again.
 *
 * @param {number} waitMs
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(waitMs, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    signal.addEventListener("abort", done);
    addEventListener("online", done);
  });
}
