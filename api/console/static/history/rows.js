/** Events as rows of a table. Values are links that add the filter. */

import { html, nothing, repeat } from "../vendor/lit.js";
import { table } from "../app/components.js";
import { timeOf, typeOf } from "../app/format.js";
import { href } from "../app/router.js";
import { withFilter } from "./filters.js";

const HEADINGS = ["Position", "Recorded", "Item", "Type", "Actor and credential", "Data", "Correlation"];

/**
 * Return the table of some events, in their order.
 *
 * @param {any[]} events
 * @param {URLSearchParams} params of the address
 */
export function eventTable(events, params) {
  const rows = repeat(
    events,
    (event) => event.position,
    (event) => row(event, params),
  );
  return table("Events", HEADINGS, rows);
}

/**
 * @param {any} event
 * @param {URLSearchParams} params
 */
function row(event, params) {
  const link = (/** @type {string} */ name, /** @type {unknown} */ content, title = "") =>
    html`<a href=${withFilter(params, { [name]: event[name] })} title=${title || nothing}>${content}</a>`;
  return html`<tr data-position=${event.position}>
    <td><a class="position" href=${href("history", event.position)}>${event.position}</a></td>
    <td>${timeOf(event.recorded_at)}</td>
    <td>
      ${link("item_id", event.item_id, `Show only item ${event.item_id}`)}
      <span class="muted nowrap">version ${event.version}</span>
    </td>
    <td>${link("type", typeOf(event.type), `Show only ${event.type}`)}</td>
    <td>
      ${link("actor", html`<bdi>${event.actor}</bdi>`)}
      ${event.credential === null ? nothing : html`<br />${link("credential", html`<code>${event.credential}</code>`)}`}
    </td>
    <td>${dataOf(event.data)}</td>
    <td>
      ${event.correlation_id === null ? nothing : link("correlation_id", html`<code>${event.correlation_id}</code>`)}
    </td>
  </tr>`;
}

/**
 * Return the data of an event as text, field by field.
 *
 * @param {unknown} data
 */
function dataOf(data) {
  if (typeof data !== "object" || data === null) return html`<code>${JSON.stringify(data)}</code>`;
  return html`<dl class="inline">
    ${Object.entries(data).map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd><bdi>${typeof value === "string" ? value : JSON.stringify(value)}</bdi></dd>
        </div>`,
    )}
  </dl>`;
}
