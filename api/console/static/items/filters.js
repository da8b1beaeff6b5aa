/** The filters and the order of the list. */

import { html, nothing } from "../vendor/lit.js";

/** @type {Record<string, string>} */
const SORTS = {
  id: "Oldest first",
  "-id": "Newest first",
  name: "Name, A to Z",
  "-name": "Name, Z to A",
  price: "Price, low to high",
  "-price": "Price, high to low",
};

/** The parameters of a list that a user chooses; a cursor belongs to one choice of them and one moment. */
export const FILTERS = ["name", "in_stock", "min_price", "max_price", "sort"];

/**
 * Return the form of the filters.
 *
 * @param {URLSearchParams} params
 * @param {import("../app/problem.js").FieldError[]} errors
 * @param {(chosen: Record<string, string>) => void} onChoice
 */
export function filters(params, errors, onChoice) {
  /** @param {SubmitEvent | Event} event */
  const choose = (event) => {
    event.preventDefault();
    const form = /** @type {HTMLElement} */ (event.target).closest("form");
    const values = new FormData(/** @type {HTMLFormElement} */ (form));
    const chosen = Object.fromEntries(FILTERS.map((name) => [name, String(values.get(name) ?? "").trim()]));
    onChoice(chosen.sort === "id" ? { ...chosen, sort: "" } : chosen);
  };
  return html`<form class="filters" aria-label="Filters" @submit=${choose} novalidate>
    <label>Name contains <input name="name" .value=${params.get("name") ?? ""} autocomplete="off" /></label>
    <label>
      In stock
      <select name="in_stock" @change=${choose}>
        ${options({ "": "All", true: "Yes", false: "No" }, params.get("in_stock") ?? "")}
      </select>
    </label>
    ${price("min_price", "Price from", params, errors)} ${price("max_price", "Price to", params, errors)}
    <label>
      Order
      <select name="sort" @change=${choose}>
        ${options(SORTS, params.get("sort") ?? "id")}
      </select>
    </label>
    <button>Filter</button>
    ${
      FILTERS.some((name) => params.has(name))
        ? html`<button type="button" @click=${() => onChoice(Object.fromEntries(FILTERS.map((name) => [name, ""])))}>
            Clear
          </button>`
        : nothing
    }
  </form>`;
}

/**
 * @param {Record<string, string>} choices
 * @param {string} chosen
 */
function options(choices, chosen) {
  return Object.entries(choices).map(
    ([value, text]) => html`<option value=${value} .selected=${value === chosen}>${text}</option>`,
  );
}

/**
 * @param {string} name
 * @param {string} label
 * @param {URLSearchParams} params
 * @param {import("../app/problem.js").FieldError[]} errors
 */
function price(name, label, params, errors) {
  const wrong = errors.find((error) => error.parameter === name);
  return html`<label>
    ${label}
    <input
      name=${name}
      inputmode="decimal"
      autocomplete="off"
      .value=${params.get(name) ?? ""}
      aria-invalid=${wrong ? "true" : nothing}
      aria-describedby=${wrong ? `${name}-problem` : nothing}
    />
    ${wrong ? html`<span id="${name}-problem" class="field-problem">${wrong.detail}</span>` : nothing}
  </label>`;
}
