/** An item with its versions, its state now, and its state at a moment. */

import { get } from "../app/api.js";
import { isDeletion, lastEvent, stateAfter, stateAt } from "./item_state.js";
import { positionOf } from "./moment.js";

/** @typedef {import("./item_state.js").ItemState} ItemState */

/**
 * @typedef {object} ItemPage
 * @property {ItemState} now
 * @property {ItemState | null} last its state when it was deleted; null while it exists
 * @property {{position: number, state: ItemState} | null} then the moment that the address names
 * @property {any[] | null} versions the newest first; null without the scope `events:read`
 * @property {URLSearchParams | null} next
 */

const LIMIT = 20;

/**
 * Read an item, deleted ones too.
 *
 * @param {string} id
 * @param {URLSearchParams} params of the address
 * @param {number} minPosition the service answers with a state at least as new
 * @param {AbortSignal} signal
 * @returns {Promise<ItemPage>}
 */
export async function readItem(id, params, minPosition, signal) {
  const before = params.get("before");
  const query = { sort: "-position", limit: LIMIT, before, min_position: minPosition || null };
  const page = await get(`audit/items/${encodeURIComponent(id)}`, { params: query, signal });
  const newest = before === null ? page.data[0] : await lastEvent(id, Number.MAX_SAFE_INTEGER - 1, signal);
  const [now, then, last] = await Promise.all([
    stateAfter(newest, signal),
    readThen(id, params.get("as_of"), signal),
    isDeletion(newest) ? stateAt(id, newest.position - 1, signal) : null,
  ]);
  return { now, last, then, versions: page.data, next: page.next };
}

/**
 * Read the state of now alone, which takes no scope but `items:read`.
 *
 * @param {string} id
 * @param {number} minPosition
 * @param {AbortSignal} signal
 * @returns {Promise<ItemPage>}
 */
export async function readItemOfNow(id, minPosition, signal) {
  const params = { min_position: minPosition || null };
  const { data, etag } = await get(`items/${encodeURIComponent(id)}`, { params, signal });
  return { now: { item: data, event: null, etag }, last: null, then: null, versions: null, next: null };
}

/**
 * @param {string} id
 * @param {string | null} asOf
 * @param {AbortSignal} signal
 */
async function readThen(id, asOf, signal) {
  if (asOf === null) return null;
  const position = await positionOf(asOf, signal);
  return { position, state: await stateAt(id, position, signal) };
}
