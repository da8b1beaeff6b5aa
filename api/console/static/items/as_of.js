/** The control for the moment of a list: a slider over the positions of the log, a typed position or time, and "now". */

import { html, live, nothing } from "../vendor/lit.js";
import { Element } from "../app/element.js";
import { numberOf, timeOf } from "../app/format.js";
import { toAsOf } from "./moment.js";

/** The time without a move after which the list is loaded. */
const DEBOUNCE_MS = 150;
/** The time without a move after which the next move is a new entry of the browser's history. */
const SETTLE_MS = 1000;

/** Dispatches `seek` with `{asOf: string | null, replace: boolean}`. */
class AsOf extends Element {
  /** @override */
  static properties = {
    asOf: { attribute: false },
    head: { attribute: false },
    moment: { attribute: false },
    problem: { attribute: false },
    moved: { state: true },
  };

  constructor() {
    super();
    /** @type {string | null} the moment of the address: position or time; null is now */
    this.asOf = null;
    this.head = 0;
    /** @type {import("./moment.js").Moment | null} what the list shows; null while that is not known */
    this.moment = null;
    /** @type {string} what the API says against the moment */
    this.problem = "";
    /** @type {number | null} where the slider is while it moves */
    this.moved = null;
    this.moving = false;
    this.load = 0;
    this.settle = 0;
  }

  /**
   * @override
   * @param {import("lit").PropertyValues} changed
   */
  willUpdate(changed) {
    if (changed.has("asOf") && this.load === 0) this.moved = null;
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.load);
    clearTimeout(this.settle);
  }

  /** @override */
  render() {
    const position = this.#position();
    return html`<section class="card as-of" aria-labelledby="as-of-title">
      <h2 id="as-of-title">As of</h2>
      <label for="as-of-slider">Position in the log</label>
      <input
        id="as-of-slider"
        type="range"
        min="0"
        max=${this.head}
        step="1"
        .value=${live(String(position))}
        aria-valuetext=${this.#valueText(position)}
        aria-describedby="as-of-readout"
        @input=${this.#onInput}
      />
      <p id="as-of-readout" class="readout">${this.#readout(position)}</p>
      <form class="row" @submit=${this.#onSubmit} novalidate>
        <label>
          Position or time (UTC)
          <input
            name="moment"
            autocomplete="off"
            spellcheck="false"
            placeholder="17 or 2026-11-27 10:30"
            .value=${this.asOf ?? ""}
            aria-invalid=${this.problem ? "true" : nothing}
            aria-describedby=${this.problem ? "as-of-problem" : nothing}
          />
        </label>
        <button>Show</button>
        <button type="button" ?disabled=${this.asOf === null} @click=${() => this.#seek(null)}>Now</button>
      </form>
      ${this.problem ? html`<p id="as-of-problem" class="field-problem" role="alert">${this.problem}</p>` : nothing}
    </section>`;
  }

  #position() {
    if (this.moved !== null) return this.moved;
    if (this.asOf === null) return this.head;
    return /^\d+$/.test(this.asOf) ? Number(this.asOf) : (this.moment?.position ?? this.head);
  }

  /** @param {number} position */
  #time(position) {
    return this.moment?.position === position ? this.moment.time : null;
  }

  /** @param {number} position */
  #valueText(position) {
    const time = this.#time(position);
    return `${position} of ${this.head}${time ? `, ${time.slice(0, 19).replace("T", " ")} UTC` : ""}`;
  }

  /** @param {number} position */
  #readout(position) {
    const isNow = this.asOf === null && this.moved === null;
    const time = this.#time(position);
    return html`<strong>${isNow ? "Now: position" : "Position"} ${numberOf(position)}</strong> of ${numberOf(this.head)}
      ${time ? html`· event recorded ${timeOf(time)}` : nothing}${position === 0 ? "· before the first event" : nothing}`;
  }

  /** @param {InputEvent} event */
  #onInput(event) {
    this.moved = Number(/** @type {HTMLInputElement} */ (event.target).value);
    clearTimeout(this.load);
    clearTimeout(this.settle);
    this.load = setTimeout(() => {
      this.load = 0;
      const asOf = this.moved === null || this.moved >= this.head ? null : String(this.moved);
      this.#seek(asOf, this.moving);
      this.moving = true;
      this.settle = setTimeout(() => {
        this.moving = false;
        this.moved = null;
      }, SETTLE_MS);
    }, DEBOUNCE_MS);
  }

  /** @param {SubmitEvent} event */
  #onSubmit(event) {
    event.preventDefault();
    const typed = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("moment"));
    this.#seek(toAsOf(typed) || null);
  }

  /**
   * @param {string | null} asOf
   * @param {boolean=} replace whether it belongs to the same move as the last one
   */
  #seek(asOf, replace = false) {
    this.dispatchEvent(new CustomEvent("seek", { detail: { asOf, replace } }));
  }
}

customElements.define("itl-as-of", AsOf);
