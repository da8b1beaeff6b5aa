/** An item as of a position, asked for so that an item that does not exist then is an answer and not an error. */

import { get } from "../app/api.js";

/**
 * @typedef {object} Item
 * @property {number} id
 * @property {string} name
 * @property {string} price exact, as the service wrote it
 * @property {boolean} in_stock
 */

/**
 * @typedef {object} ItemState
 * @property {Item | null} item null before its creation, and while it is deleted
 * @property {any} event the last event of the item up to then, null before its creation
 * @property {string | null} etag
 */

/** @typedef {"name" | "price" | "in_stock"} Field */

/** The fields of an item that can change, with what the page calls them. @type {Record<Field, string>} */
export const FIELDS = { name: "Name", price: "Price", in_stock: "In stock" };

/** @returns {Field[]} the fields in which two items differ @param {Item} one @param {Item} other */
export function differences(one, other) {
  return /** @type {Field[]} */ (Object.keys(FIELDS)).filter((field) => one[field] !== other[field]);
}

/**
 * Return the last event of an item up to a position, null if there is none.
 *
 * @param {number | string} id
 * @param {number} position
 * @param {AbortSignal} signal
 */
export async function lastEvent(id, position, signal) {
  const params = { item_id: id, sort: "-position", before: position + 1, limit: 1 };
  return (await get("events", { params, signal })).data[0] ?? null;
}

/** Return whether an item does not exist after an event. @param {any} event */
export function isDeletion(event) {
  return event.type.startsWith("item.deleted.");
}

/**
 * Return an item as of a position.
 *
 * @param {number | string} id
 * @param {number} position
 * @param {AbortSignal} signal
 */
export async function stateAt(id, position, signal) {
  return stateAfter(await lastEvent(id, position, signal), signal);
}

/**
 * Return an item as one of its events left it.
 *
 * @param {any} event null before the item's creation
 * @param {AbortSignal} signal
 * @returns {Promise<ItemState>}
 */
export async function stateAfter(event, signal) {
  if (event === null || isDeletion(event)) return { item: null, event, etag: null };
  const { data, etag } = await get(`audit/items/${event.item_id}`, { params: { as_of: event.position }, signal });
  return { item: data, event, etag };
}
