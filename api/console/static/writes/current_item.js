/** An item as the API shows it now, with the tag that a write needs to change just this state. */

import { get } from "../app/api.js";
import { ApiProblem } from "../app/problem.js";

/**
 * @typedef {object} Shown
 * @property {import("../items/item_state.js").Item} item
 * @property {string | null} etag
 */

/**
 * Return an item of now.
 *
 * @param {number} id
 * @returns {Promise<Shown>}
 * @throws {ApiProblem} 404 if it was deleted
 */
export async function currentItem(id) {
  const { data, etag } = await get(`items/${id}`);
  return { item: data, etag };
}

/**
 * Return an item of now, null if it was deleted, and the problem if it cannot be read.
 *
 * @param {number} id
 * @returns {Promise<Shown | null | ApiProblem>}
 */
export async function currentItemOrProblem(id) {
  try {
    return await currentItem(id);
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    return error.code === "item-not-found" ? null : error;
  }
}
