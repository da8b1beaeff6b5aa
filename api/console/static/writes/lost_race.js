/** A lost race: another client changed the item between the user's look and the user's write. */

import { html } from "../vendor/lit.js";
import { textOf } from "../items/cells.js";
import { FIELDS } from "../items/item_state.js";

/** @typedef {import("../items/item_state.js").Item} Item */
/** @typedef {import("../items/item_state.js").Field} Field */

/**
 * Return both states side by side, and what the user saw before.
 *
 * @param {Item} seen
 * @param {Item} theirs
 * @param {Item} yours
 */
export function lostRace(seen, theirs, yours) {
  const fields = /** @type {[Field, string][]} */ (Object.entries(FIELDS));
  return html`<p>Another client changed this item after you opened it. Your change is not saved yet.</p>
    <div class="scroll" role="region" aria-label="The three states" tabindex="0">
      <table class="race">
        <thead>
          <tr>
            <td></td>
            <th scope="col">You saw</th>
            <th scope="col">Theirs, now</th>
            <th scope="col">Yours</th>
          </tr>
        </thead>
        <tbody>
          ${fields.map(
            ([field, label]) =>
              html`<tr>
                <th scope="row">${label}</th>
                <td>${textOf(field, seen[field])}</td>
                <td>${state(field, seen, theirs)}</td>
                <td>${state(field, seen, yours)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

/**
 * @param {Field} field
 * @param {Item} seen
 * @param {Item} item
 */
function state(field, seen, item) {
  const text = textOf(field, item[field]);
  return item[field] === seen[field] ? text : html`<ins>${text}</ins> <span class="muted">changed</span>`;
}
