/** The filters of the history: the parameters of `GET /events`, which are also those of the view's address. */

import { href } from "../app/router.js";

/**
 * @typedef {object} FilterField
 * @property {string} label
 * @property {"number" | "text" | "time"} kind
 * @property {boolean} common whether it is shown at once
 * @property {string=} hint
 */

/** By the parameter, in the order of the form. @type {Record<string, FilterField>} */
export const FILTERS = {
  item_id: { label: "Item", kind: "number", common: true },
  type: { label: "Type", kind: "text", common: true },
  actor: { label: "Actor", kind: "text", common: true },
  from: { label: "From", kind: "time", common: true, hint: "2026-11-28 08:00" },
  to: { label: "To", kind: "time", common: true, hint: "2026-11-28 17:30" },
  credential: { label: "Credential", kind: "text", common: false, hint: "key:85fy6djd" },
  correlation_id: { label: "Correlation", kind: "text", common: false, hint: "request id or trace" },
  command_id: { label: "Command", kind: "text", common: false },
  after: { label: "After position", kind: "number", common: false },
  before: { label: "Before position", kind: "number", common: false },
};

/** The types of events, for the form. The service says if it does not know one. */
export const TYPES = ["item.created.v1", "item.changed.v1", "item.deleted.v1", "item.restored.v1"];

/** What bounds a page. A stream has no end, so it takes none of these. */
export const BOUNDS = ["from", "to", "before"];

/**
 * Return the filters of an address: nothing else of it reaches the API.
 *
 * @param {URLSearchParams} params
 */
export function filtersOf(params) {
  const filters = new URLSearchParams();
  for (const name of Object.keys(FILTERS)) {
    const value = params.get(name);
    if (value) filters.set(name, value);
  }
  return filters;
}

/**
 * Return the link that adds filters to those that are set. It leads to the newest page, and keeps following.
 *
 * @param {URLSearchParams} params of the address
 * @param {Record<string, string | number>} added
 */
export function withFilter(params, added) {
  const all = new URLSearchParams(params);
  all.delete("before");
  for (const [name, value] of Object.entries(added)) all.set(name, String(value));
  return href("history", "", all);
}

/**
 * Return the link without some parameters.
 *
 * @param {URLSearchParams} params
 * @param {...string} removed
 */
export function without(params, ...removed) {
  const left = new URLSearchParams(params);
  for (const name of removed) left.delete(name);
  return href("history", "", left);
}

/**
 * Return a time as the API reads it: a day or a minute, which are short to type, are of UTC. Other texts stay as they are.
 *
 * @param {string} text
 * @param {boolean} isEnd whether a day or a minute is meant to its end
 */
export function toTime(text, isEnd) {
  const [, day, minute, second] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?)?(?: ?(?:UTC|Z))?$/i.exec(text) ?? [];
  if (day === undefined) return text;
  if (minute === undefined) return `${day}T${isEnd ? "23:59:59.999999" : "00:00:00"}Z`;
  return `${day}T${minute}${second ?? (isEnd ? ":59.999999" : ":00")}Z`;
}
