/** The form of the filters, and the ones that are set, each with a link that removes it. */

import { html, live, nothing } from "../vendor/lit.js";
import { navigate } from "../app/router.js";
import { BOUNDS, FILTERS, TYPES, toTime, without, withFilter } from "./filters.js";

/**
 * Return the form. A submit is a new address.
 *
 * @param {URLSearchParams} params of the address
 * @param {boolean} following
 */
export function filterForm(params, following) {
  const names = Object.keys(FILTERS);
  const more = names.filter((name) => !FILTERS[name]?.common);
  const field = (/** @type {string} */ name) => fieldOf(name, params.get(name) ?? "", following);
  return html`<form
    class="card history-filters"
    aria-label="Filters"
    @submit=${(/** @type {SubmitEvent} */ event) => submit(event, params)}
  >
    <div class="filters">${names.filter((name) => FILTERS[name]?.common).map(field)}</div>
    <details ?open=${more.some((name) => params.has(name))}>
      <summary>More filters</summary>
      <div class="filters">${more.map(field)}</div>
    </details>
    <div class="actions">
      <button class="primary">Apply</button>
      <a class="button" href=${without(params, ...names)}>Clear</a>
      ${following ? html`<span class="muted">From, To and Before bound a page: a stream has no end.</span>` : nothing}
    </div>
    ${setFilters(params)}
  </form>`;
}

/**
 * @param {string} name
 * @param {string} value
 * @param {boolean} following
 */
function fieldOf(name, value, following) {
  const { label, kind, hint } = /** @type {import("./filters.js").FilterField} */ (FILTERS[name]);
  const disabled = following && BOUNDS.includes(name);
  if (name === "type") {
    const types = value === "" || TYPES.includes(value) ? TYPES : [...TYPES, value];
    return html`<label
      >${label}
      <select name="type" .value=${live(value)}>
        <option value="" ?selected=${value === ""}>any</option>
        ${types.map((type) => html`<option value=${type} ?selected=${type === value}>${type}</option>`)}
      </select>
    </label>`;
  }
  return html`<label
    >${label}
    <input
      name=${name}
      inputmode=${kind === "number" ? "numeric" : nothing}
      pattern=${kind === "number" ? "[0-9]*" : nothing}
      title=${kind === "number" ? "A whole number" : kind === "time" ? "UTC, or RFC 3339 with an offset" : nothing}
      placeholder=${hint ?? nothing}
      autocomplete="off"
      spellcheck="false"
      ?disabled=${disabled}
      .value=${live(value)}
    />
  </label>`;
}

/**
 * @param {SubmitEvent} event
 * @param {URLSearchParams} params
 */
function submit(event, params) {
  event.preventDefault();
  const chosen = new URLSearchParams(params);
  for (const [name, value] of new FormData(/** @type {HTMLFormElement} */ (event.target))) {
    const text = String(value).trim();
    if (text === "") chosen.delete(name);
    else chosen.set(name, FILTERS[name]?.kind === "time" ? toTime(text, name === "to") : text);
  }
  const before = chosen.get("before");
  // Another filter begins at the newest event again; a position that was typed stays.
  const link = before === params.get("before") ? withFilter(chosen, {}) : withFilter(chosen, before ? { before } : {});
  navigate(link);
}

/** @param {URLSearchParams} params */
function setFilters(params) {
  const names = Object.keys(FILTERS).filter((name) => params.has(name));
  if (names.length === 0) return nothing;
  return html`<ul class="chips" aria-label="Filters that are set">
    ${names.map(
      (name) =>
        html`<li>
          <a
            class="button"
            href=${without(params, name)}
            aria-label=${`Remove the filter ${FILTERS[name]?.label}: ${params.get(name)}`}
            >${FILTERS[name]?.label}: <bdi>${params.get(name)}</bdi> <span aria-hidden="true">×</span></a
          >
        </li>`,
    )}
  </ul>`;
}
