/** The list of items as of a moment, and what became of them since. */

import { get } from "../app/api.js";
import { FILTERS } from "./filters.js";
import { headPosition, momentAt, positionOf } from "./moment.js";

/**
 * @typedef {object} ItemList
 * @property {boolean} isCompared whether the address named a moment
 * @property {import("./item_state.js").Item[]} items
 * @property {URLSearchParams | null} next
 * @property {import("./moment.js").Moment} moment of the items
 * @property {number} head the end of the log when the list was read
 * @property {import("./moment.js").Moment | null} earlier what the items of now are compared with
 */

const LIMIT = 50;

/**
 * Read a page of items.
 *
 * With `as_of` these are the items of that moment or, with `show=now`, the items of now to compare with it.
 *
 * @param {URLSearchParams} params of the address
 * @param {boolean} mayReadEvents
 * @param {number} minPosition the service answers with a state at least as new
 * @param {AbortSignal} signal
 * @returns {Promise<ItemList>}
 */
export async function readList(params, mayReadEvents, minPosition, signal) {
  const asOf = params.get("as_of");
  const showNow = params.get("show") === "now";
  const query = new URLSearchParams({ limit: String(LIMIT) });
  for (const name of [...FILTERS, "cursor"]) {
    const value = params.get(name);
    if (value) query.set(name, value);
  }
  if (asOf === null) {
    if (minPosition > 0) query.set("min_position", String(minPosition));
    const answer = await get("items", { params: query, signal });
    const head = answer.position ?? 0;
    const moment = mayReadEvents ? await momentAt(head, signal) : { position: head, time: null };
    return { isCompared: false, items: answer.data, next: answer.next, moment, head, earlier: null };
  }
  if (showNow) {
    const [answer, position] = await Promise.all([get("items", { params: query, signal }), positionOf(asOf, signal)]);
    const then = await momentAt(position, signal);
    const head = answer.position ?? 0;
    const moment = await momentAt(head, signal);
    return { isCompared: true, items: answer.data, next: answer.next, moment, head, earlier: then };
  }
  query.set("as_of", asOf);
  const [answer, head] = await Promise.all([get("audit/items", { params: query, signal }), headPosition(signal)]);
  const moment = await momentAt(answer.position ?? 0, signal);
  const later = Math.max(head, moment.position);
  return { isCompared: true, items: answer.data, next: answer.next, moment, head: later, earlier: null };
}
