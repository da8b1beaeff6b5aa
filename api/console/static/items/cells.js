/** How an item's fields and their changes are shown. */

import { html, nothing } from "../vendor/lit.js";
import { priceOf } from "../app/format.js";
import { href } from "../app/router.js";

/** @typedef {import("./item_state.js").Field} Field */

/**
 * Return the text of a field's value.
 *
 * @param {Field} field
 * @param {any} value
 */
export function textOf(field, value) {
  if (value === null || value === undefined) return "";
  if (field === "in_stock") return value ? "yes" : "no";
  return field === "price" ? priceOf(value) : value;
}

/** Return the heading of a column of numbers. @param {string} text */
export function numeric(text) {
  return html`<span class="number">${text}</span>`;
}

/**
 * Return the change of a field, the old value struck through.
 *
 * @param {Field} field
 * @param {any} from null if the item did not exist
 * @param {any} to null if the item does not exist
 */
export function changeOf(field, from, to) {
  const old = from ?? null;
  const current = to ?? null;
  return html`${old === null ? nothing : html`<del>${textOf(field, old)}</del>`}
  ${old === null || current === null ? nothing : html`<span role="img" aria-label="became">→</span>`}
  ${current === null ? nothing : html`<ins>${textOf(field, current)}</ins>`}`;
}

/** @type {Record<import("./comparison.js").Mark["kind"], string>} */
const WORDS = {
  created: "created since",
  changed: "changed since",
  deleted: "deleted since",
  restored: "restored since",
  same: "unchanged",
};

/**
 * Return the word for what happened to an item, with a link to the event.
 *
 * @param {import("./comparison.js").Mark | undefined} mark
 */
export function markOf(mark) {
  if (mark === undefined) return html`<span class="muted">…</span>`;
  if (mark.kind === "same") {
    const back = mark.position === undefined ? nothing : html`, after a change and back: ${eventLink(mark.position)}`;
    return html`<span class="muted">${WORDS.same}</span>${back}`;
  }
  return html`<span class="badge ${mark.kind}">${WORDS[mark.kind]}</span> ${eventLink(mark.position)}`;
}

/** @param {number | undefined} position */
function eventLink(position) {
  return position === undefined ? nothing : html`<a href=${href("history", position)}>event ${position}</a>`;
}
