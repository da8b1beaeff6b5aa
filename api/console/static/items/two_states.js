/** The state of an item at a moment beside its state now. */

import { html, nothing } from "../vendor/lit.js";
import { changeOf, textOf } from "./cells.js";
import { FIELDS } from "./item_state.js";

/** @typedef {import("./item_state.js").ItemState} ItemState */
/** @typedef {import("./item_state.js").Field} Field */

/**
 * Return both states, with the differences marked.
 *
 * @param {{position: number, state: ItemState} | null} then null to show now alone
 * @param {ItemState} now
 */
export function twoStates(then, now) {
  const fields = /** @type {[Field, string][]} */ (Object.entries(FIELDS));
  return html`<table class="states">
    <caption class="visually-hidden">
      ${then === null ? "The item now" : `The item at position ${then.position} and now`}
    </caption>
    <thead>
      <tr>
        <td></td>
        ${then === null ? nothing : html`<th scope="col">At position ${then.position}<br />${what(then.state)}</th>`}
        <th scope="col">Now<br />${what(now)}</th>
      </tr>
    </thead>
    <tbody>
      ${fields.map(([field, label]) => row(field, label, then, now))}
    </tbody>
  </table>`;
}

/**
 * @param {Field} field
 * @param {string} label
 * @param {{state: ItemState} | null} then
 * @param {ItemState} now
 */
function row(field, label, then, now) {
  const before = then?.state.item?.[field];
  const after = now.item?.[field];
  const differs = then !== null && before !== after;
  return html`<tr data-field=${field}>
    <th scope="row">${label} ${differs ? html`<span class="badge changed">differs</span>` : nothing}</th>
    ${then === null ? nothing : html`<td>${differs ? changeOf(field, before, null) : textOf(field, before)}</td>`}
    <td>${differs ? changeOf(field, null, after) : textOf(field, after)}</td>
  </tr>`;
}

/** Return which version a state is. @param {ItemState} state */
function what({ item, event }) {
  if (event === null) return item === null ? "did not exist yet" : nothing;
  return html`version ${event.version} ${item === null ? html`<span class="badge deleted">deleted</span>` : nothing}`;
}
