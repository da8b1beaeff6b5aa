/** The rows of the list. */

import { html, nothing } from "../vendor/lit.js";
import { href } from "../app/router.js";
import { textOf } from "./cells.js";

/** @typedef {import("./item_state.js").Item} Item */

/**
 * @typedef {object} RowActions what may be done with the item of a row
 * @property {(id: number) => unknown} edit
 * @property {(id: number) => unknown} remove
 */

/**
 * Return the row of an item of now.
 *
 * @param {Item} item
 * @param {RowActions | null} actions null if the credential may not write
 */
export function row(item, actions) {
  return html`<tr>
    <td class="number">${item.id}</td>
    <td><a href=${href("items", item.id)}>${item.name}</a></td>
    <td class="number">${textOf("price", item.price)}</td>
    <td>${textOf("in_stock", item.in_stock)}</td>
    ${
      actions === null
        ? nothing
        : html`<td class="row-actions">
            <button aria-label="Edit ${item.name}" @click=${() => actions.edit(item.id)}>Edit</button>
            <button class="danger" aria-label="Delete ${item.name}" @click=${() => actions.remove(item.id)}>
              Delete
            </button>
          </td>`
    }
  </tr>`;
}
