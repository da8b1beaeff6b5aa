/** A chart of days: a caption, a legend with the values of a day, the plot, and the same numbers as a table. */

import { html, nothing } from "../vendor/lit.js";
import { table } from "../app/components.js";
import { Element } from "../app/element.js";
import { Plot } from "./plot.js";

/** @typedef {import("./plot.js").Series} Series */

class Chart extends Element {
  /** @override */
  static properties = {
    caption: { attribute: false },
    days: { attribute: false },
    series: { attribute: false },
    hovered: { state: true },
    open: { state: true },
  };

  constructor() {
    super();
    this.caption = "";
    /** @type {string[]} */
    this.days = [];
    /** @type {Series[]} */
    this.series = [];
    /** @type {number | null} the index of the day that is pointed at */
    this.hovered = null;
    this.open = false;
    /** @type {Plot | null} */
    this.plot = null;
  }

  /** @override */
  render() {
    const index = this.hovered ?? this.days.length - 1;
    const [first, last] = [this.days[0], this.days.at(-1)];
    return html`<figure class="chart">
      <figcaption>${this.caption}</figcaption>
      <p class="muted">${first} to ${last}</p>
      <ul class="legend">
        <li class="muted">${this.days[index]}</li>
        ${this.series.map((one) => legend(one, index))}
      </ul>
      <div
        class="plot"
        role="img"
        aria-label="Chart: ${this.caption}, ${first} to ${last}. The table has its numbers."
      ></div>
      <details @toggle=${this.#toggle}>
        <summary>Numbers: ${this.caption}</summary>
        ${this.open ? this.#table() : nothing}
      </details>
    </figure>`;
  }

  #table() {
    const number = (/** @type {unknown} */ text) => html`<span class="number">${text}</span>`;
    const rows = this.days.map(
      (day, index) =>
        html`<tr>
          <th scope="row">${day}</th>
          ${this.series.map(({ texts }) => html`<td class="number">${texts[index]}</td>`)}
        </tr>`,
    );
    return table(this.caption, ["Day (UTC)", ...this.series.map(({ title }) => number(title))], rows.reverse());
  }

  /** @param {Event} event */
  #toggle(event) {
    this.open = /** @type {HTMLDetailsElement} */ (event.target).open;
  }

  /**
   * @override
   * @param {import("lit").PropertyValues} changed
   */
  updated(changed) {
    const host = this.querySelector(".plot");
    if (!(host instanceof HTMLElement)) return;
    const isNew = this.plot === null;
    this.plot ??= new Plot(host, (index) => (this.hovered = index));
    if (isNew || changed.has("series")) this.plot.show(this.days, this.series);
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    if (this.hasUpdated) this.requestUpdate(); // it was moved: the plot is drawn again
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    this.plot?.remove();
    this.plot = null;
  }
}

/**
 * @param {Series} series
 * @param {number} index
 */
function legend({ title, colour, dash, texts }, index) {
  return html`<li>
    <svg width="32" height="8" aria-hidden="true">
      <line x1="0" y1="4" x2="32" y2="4" stroke="var(${colour})" stroke-width="3" stroke-dasharray=${dash.join(" ")} />
    </svg>
    ${title} <strong>${texts[index]}</strong>
  </li>`;
}

customElements.define("itl-chart", Chart);
