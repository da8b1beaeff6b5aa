/** The moment of a list: now, a position of the log, or a time. */

import { call, get } from "../app/api.js";

/**
 * @typedef {object} Moment
 * @property {number} position 0 is before the first event
 * @property {string | null} time when the event at that position was recorded; null at 0, and if it is not known
 */

const TIME = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?)? ?(?:UTC|Z|([+-]\d{2}:\d{2}))?$/i;

/**
 * Return what a user typed as `as_of` takes it. A time without a zone is in UTC, and a day begins at midnight.
 * What is neither a position nor a time is returned as it is: the API says what is wrong with it.
 *
 * @param {string} typed
 */
export function toAsOf(typed) {
  const text = typed.trim();
  const [, day, minutes = "00:00", seconds = ":00", zone = "Z"] = TIME.exec(text) ?? [];
  return day === undefined ? text : `${day}T${minutes}${seconds}${zone}`;
}

/**
 * Return the position at the end of the log. It costs the service no page.
 *
 * @param {AbortSignal=} signal
 */
export async function headPosition(signal) {
  const answer = await call("HEAD", "items", { params: { limit: 1 }, ...(signal && { signal }) });
  return answer.position ?? 0;
}

/**
 * Return the position that `as_of` names: a time stands for the last event that was recorded then or before. The API
 * refuses a moment that is still to come.
 *
 * @param {string} asOf
 * @param {AbortSignal} signal
 */
export async function positionOf(asOf, signal) {
  const answer = await get("audit/items", { params: { as_of: asOf, limit: 1 }, signal });
  return answer.position ?? 0;
}

/**
 * Return a position with the time of its event.
 *
 * @param {number} position
 * @param {AbortSignal} signal
 * @returns {Promise<Moment>}
 */
export async function momentAt(position, signal) {
  if (position === 0) return { position, time: null };
  return { position, time: (await get(`events/${position}`, { signal })).data.recorded_at };
}
