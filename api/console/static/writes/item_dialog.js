/** The dialog to create or edit an item. */

import { html, nothing } from "../vendor/lit.js";
import { ApiProblem } from "../app/problem.js";
import { differences } from "../items/item_state.js";
import { currentItemOrProblem } from "./current_item.js";
import { lostRace } from "./lost_race.js";
import { Write } from "./write.js";
import { WriteDialog } from "./write_dialog.js";

/** @typedef {import("../items/item_state.js").Item} Item */

class ItemDialog extends WriteDialog {
  constructor() {
    super();
    /** @type {import("./current_item.js").Shown | null} what the user sees and changes; null to create an item */
    this.seen = null;
    /** @type {Item | null} what the user entered, from the first time it was sent */
    this.yours = null;
    /** @type {import("./current_item.js").Shown | null} what another client made of it */
    this.theirs = null;
    this.isGone = false;
  }

  /** @override */
  heading() {
    return this.seen === null ? "Create an item" : html`Edit ${this.seen.item.name}`;
  }

  /** @override */
  content() {
    if (this.isGone)
      return html`<p>Another client deleted this item after you opened it. Your change is not saved.</p>`;
    if (this.seen !== null && this.theirs !== null && this.yours !== null) {
      return lostRace(this.seen.item, this.theirs.item, this.yours);
    }
    const item = this.yours ?? this.seen?.item;
    return html`<fieldset class="stack plain" ?disabled=${this.busy || this.write?.isOpen}>
      ${this.#field("name", "Name", item?.name ?? "", "text")}
      ${this.#field("price", "Price", item?.price ?? "", "decimal")}
      <label class="check">
        <input name="in_stock" type="checkbox" .checked=${item?.in_stock ?? true} />
        In stock
      </label>
    </fieldset>`;
  }

  /** @override */
  choices() {
    if (this.isGone) return nothing;
    if (this.theirs !== null) {
      return html`<button class="primary" ?disabled=${this.busy}>Apply mine on top</button>
        <button type="button" ?disabled=${this.busy} @click=${() => this.close()}>Take theirs</button>`;
    }
    return html`<button class="primary" ?disabled=${this.busy}>${this.seen === null ? "Create" : "Save"}</button>`;
  }

  /** @override */
  newWrite() {
    if (this.theirs === null) this.yours = this.#entered();
    const yours = /** @type {Item} */ (this.yours);
    const { name, price, in_stock } = yours;
    if (this.seen === null) return new Write("POST", "items", { body: { name, price, in_stock } });
    const changed = differences(this.seen.item, yours);
    if (changed.length === 0) return null;
    const { etag } = this.theirs ?? this.seen;
    const body = Object.fromEntries(changed.map((field) => [field, yours[field]]));
    return new Write("PATCH", `items/${this.seen.item.id}`, { body, etag });
  }

  /**
   * @override
   * @param {ApiProblem} problem
   */
  async onRefused(problem) {
    if (this.seen !== null && (problem.status === 412 || problem.code === "item-not-found")) {
      const theirs = await currentItemOrProblem(this.seen.item.id);
      this.isStale = true;
      this.problem = theirs instanceof ApiProblem ? theirs : null;
      this.isGone = theirs === null;
      this.theirs = theirs instanceof ApiProblem ? this.theirs : theirs;
    }
  }

  #entered() {
    const values = new FormData(/** @type {HTMLFormElement} */ (this.querySelector("form")));
    return {
      id: this.seen?.item.id ?? 0,
      name: String(values.get("name")),
      price: String(values.get("price")).trim(), // its text: a number would lose digits
      in_stock: values.has("in_stock"),
    };
  }

  /**
   * @param {"name" | "price"} name
   * @param {string} label
   * @param {string} value
   * @param {"text" | "decimal"} mode
   */
  #field(name, label, value, mode) {
    const wrong = this.problem?.errors.find((error) => error.pointer === `/${name}`);
    return html`<div>
      <label>
        ${label}
        <input
          name=${name}
          inputmode=${mode}
          autocomplete="off"
          .value=${value}
          aria-invalid=${wrong ? "true" : nothing}
          aria-describedby=${wrong ? `dialog-${name}-problem` : nothing}
        />
      </label>
      ${wrong ? html`<p id="dialog-${name}-problem" class="field-problem">${wrong.detail}</p>` : nothing}
    </div>`;
  }
}

customElements.define("itl-item-dialog", ItemDialog);
