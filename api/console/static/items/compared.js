/** The list as of a moment beside now, and the list of now beside a moment. */

import { html, nothing } from "../vendor/lit.js";
import { pager, table } from "../app/components.js";
import { href } from "../app/router.js";
import { changeOf, markOf, numeric, textOf } from "./cells.js";

/** @typedef {import("./item_state.js").Item} Item */
/** @typedef {import("./item_state.js").Field} Field */
/** @typedef {import("./comparison.js").Mark} Mark */

/**
 * Return the list, with what happened to each of its items between the two moments.
 *
 * @param {import("../app/router.js").Route} route
 * @param {import("./list.js").ItemList} list
 * @param {Map<number, Mark>} marks
 */
export function compared(route, { items, next, moment, head, earlier }, marks) {
  const isThen = earlier === null;
  const { position } = earlier ?? moment;
  const params = new URLSearchParams(route.params);
  params.set("as_of", String(position)); // pages stay at the position that a time stands for
  const columns = ["Id", "Name", "Since then", numeric("Price"), "In stock"];
  return html`<nav class="actions" aria-label="Compared lists">
      ${choice(route, "", `Items at position ${position}`, isThen)}
      ${choice(route, "now", "Items now, with those created since", !isThen)}
    </nav>
    <p class="muted">
      ${
        isThen
          ? `The items at position ${position}, and what happened to each until position ${head}.`
          : `The items at position ${head}, and what happened to each since position ${position}.`
      }
      To change items, go back to now.
    </p>
    ${table(
      isThen ? `Items at position ${position}` : "Items now",
      columns,
      items.map((item) => row(item, marks.get(item.id), position, isThen)),
    )}
    ${items.length === 0 ? html`<p>${next === null ? "No items match" : "This page has no items, the next can have some"}.</p>` : nothing}
    ${pager({ ...route, params }, ["cursor"], next)}`;
}

/**
 * @param {import("../app/router.js").Route} route
 * @param {string} show
 * @param {string} text
 * @param {boolean} current
 */
function choice(route, show, text, current) {
  const params = new URLSearchParams(route.params);
  params.delete("cursor");
  params.set("show", show);
  return html`<a class="button" href=${href("items", "", params)} aria-current=${current ? "true" : nothing}
    >${text}</a
  >`;
}

/**
 * @param {Item} item
 * @param {Mark | undefined} mark undefined until it was looked up
 * @param {number} position the earlier moment
 * @param {boolean} isThen whether the item is of that moment
 */
function row(item, mark, position, isThen) {
  const [then, now] = isThen ? [item, mark?.other] : [mark?.other, item];
  /** @param {Field} field */
  const cell = (field) => {
    const text = textOf(field, item[field]);
    if (mark?.kind === "deleted") return html`<del>${text}</del>`;
    if (mark?.kind === "created" || mark?.kind === "restored") return html`<ins>${text}</ins>`;
    return then && now && then[field] !== now[field] ? changeOf(field, then[field], now[field]) : text;
  };
  return html`<tr data-mark=${mark?.kind ?? nothing}>
    <td class="number">${item.id}</td>
    <td>
      ${cell("name")}
      <a href=${href("items", item.id, { as_of: position })} aria-label="History of ${item.name}">History</a>
    </td>
    <td>${markOf(mark)}</td>
    <td class="number changes">${cell("price")}</td>
    <td>${cell("in_stock")}</td>
  </tr>`;
}
