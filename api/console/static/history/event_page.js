/** What the view of one event reads: the exact text of the event, and of its proof. */

import { open, textOf } from "../app/api.js";
import { parseJson } from "../app/json.js";
import { ApiProblem } from "../app/problem.js";
import { columnsOfLeaf, FormatError, leafOfEvent } from "../verify/index.js";

/**
 * @typedef {object} EventPage
 * @property {any} event
 * @property {string | null} leaf the text that the tree commits to, from the event that is shown; null if it has no such
 *   form, and then nothing can be proven
 * @property {string} data its exact text, as far as there is one
 * @property {number} logPosition where the log ended
 */

/**
 * Read an event.
 *
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<EventPage>}
 */
export async function readEvent(id, signal) {
  if (!/^[0-9]+$/.test(id)) {
    throw new ApiProblem(404, { title: "Event Not Found", detail: `${id} is not a position: use a whole number.` });
  }
  const response = await open("GET", `events/${id}`, { signal });
  const text = await textOf(response, signal);
  const event = parseJson(text);
  const leaf = leafOf(text);
  const data = leaf === null ? JSON.stringify(event.data) : columnsOfLeaf(leaf).data;
  return { event, leaf, data, logPosition: Number(response.headers.get("log-position")) };
}

/**
 * Read the proof that an event is in the log: as JSON, or as text (C2SP's tlog-proof).
 *
 * @param {number} position
 * @param {"application/json" | "text/plain"} accept
 * @param {AbortSignal=} signal
 */
export async function readProof(position, accept, signal) {
  const options = signal ? { headers: { accept }, signal } : { headers: { accept } };
  return textOf(await open("GET", `log/proof/${position}`, options), signal);
}

/** @param {string} text */
function leafOf(text) {
  try {
    return leafOfEvent(text);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
