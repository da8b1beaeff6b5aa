/** The versions of an item: who did what, when, and what it changed, field by field. */

import { html, nothing } from "../vendor/lit.js";
import { timeOf, typeOf } from "../app/format.js";
import { href } from "../app/router.js";
import { changeOf } from "./cells.js";
import { FIELDS } from "./item_state.js";

/**
 * Return the list of versions.
 *
 * @param {import("../app/router.js").Route} route
 * @param {any[]} versions the newest first
 * @param {number | null} chosen the version that is shown beside now
 */
export function timeline(route, versions, chosen) {
  return html`<ol class="timeline" aria-label="Versions, the newest first">
    ${versions.map((version) => entry(route, version, version.version === chosen))}
  </ol>`;
}

/**
 * @param {import("../app/router.js").Route} route
 * @param {any} version
 * @param {boolean} isChosen
 */
function entry(route, version, isChosen) {
  const params = new URLSearchParams(route.params);
  params.set("as_of", String(version.position));
  const { credential, actor, position, type, recorded_at: recordedAt, changes } = version;
  return html`<li class="card" data-version=${version.version} aria-current=${isChosen ? "true" : nothing}>
    <p><strong>Version ${version.version}</strong> ${typeOf(type)} ${timeOf(recordedAt)}</p>
    <p>By ${actor} ${credential === null ? nothing : html`<code>${credential}</code>`}</p>
    ${changesOf(changes)}
    <p class="links">
      <a href=${href("items", route.id, params)}
        >${isChosen ? "Shown beside now" : "Show beside now"}
        <span class="visually-hidden">: version ${version.version}</span></a
      >
      <a href=${href("history", position)}>Event ${position} and its proof</a>
    </p>
  </li>`;
}

/** @param {Record<string, {from: any, to: any}>} changes */
function changesOf(changes) {
  const fields = /** @type {[import("./item_state.js").Field, string][]} */ (Object.entries(FIELDS));
  return html`<dl class="facts">
    ${fields.map(([field, label]) => {
      const change = changes[field];
      return change === undefined
        ? nothing
        : html`<dt>${label}</dt>
            <dd>${changeOf(field, change.from, change.to)}</dd>`;
    })}
  </dl>`;
}
