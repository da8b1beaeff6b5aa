/** The charts of the overview: what happened on each day, and the totals at its end. */

import { html, nothing } from "../vendor/lit.js";
import { get } from "../app/api.js";
import { busy } from "../app/components.js";
import { Loader, View } from "../app/element.js";
import { numberOf, priceOf } from "../app/format.js";
import { problemNotice } from "../app/problem.js";
import { href, navigate } from "../app/router.js";
import { addDays, dayOf, everyDay, RANGES } from "./activity.js";
import "./chart.js";

/** @typedef {import("./activity.js").Day} Day */

/** Lines differ by their dashes, not by colour alone. @type {["created" | "changed" | "deleted" | "restored", string, number[]][]} */
const EVENTS = [
  ["created", "--good", []],
  ["changed", "--warn", [10, 4]],
  ["deleted", "--bad", [2, 3]],
  ["restored", "--accent", [10, 3, 2, 3]],
];

class ActivityCharts extends View {
  constructor() {
    super();
    /** @type {Loader<{days: Day[], last: string, latest: string | null, isToday: boolean}>} */
    this.activity = new Loader(this);
  }

  /** @returns {number} the number of days to show */
  get count() {
    const chosen = Number(this.route.params.get("days"));
    return RANGES.find((days) => days === chosen) ?? 31;
  }

  /** @override */
  load() {
    const to = this.route.params.get("to");
    void this.activity.run(async (signal) => {
      // One more than there are days in the range: the last known day before it, whose totals hold where it begins.
      const { data, headers } = await get("activity", { params: { to, limit: this.count + 1 }, signal });
      const latest = /** @type {Day | undefined} */ (data[0])?.day ?? null;
      const today = dayOf(headers);
      const last = to ?? (latest !== null && latest > today ? latest : today);
      return { days: everyDay(data, last, this.count), last, latest, isToday: last === today };
    });
  }

  /** @override */
  render() {
    const { value, error, loading } = this.activity;
    return html`${this.#range()} ${problemNotice(error)} ${value === undefined ? busy(loading) : this.#charts(value)}`;
  }

  #range() {
    const { params } = this.route;
    return html`<form class="filters" @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <label>
        Range
        <select name="days" @change=${this.#choose}>
          ${RANGES.map((days) => html`<option value=${days} ?selected=${days === this.count}>${days === 365 ? "A year" : `${days} days`}</option>`)}
        </select>
      </label>
      <label>
        Last day (UTC), empty for today
        <input name="to" type="date" .value=${params.get("to") ?? ""} @change=${this.#choose} />
      </label>
    </form>`;
  }

  /** @param {Event} event */
  #choose(event) {
    const { name, value } = /** @type {HTMLInputElement | HTMLSelectElement} */ (event.target);
    const params = new URLSearchParams(this.route.params);
    params.set(name, value);
    navigate(href("overview", "", params));
  }

  /** @param {{days: Day[], last: string, latest: string | null, isToday: boolean}} activity */
  #charts({ days, last, latest, isToday }) {
    const names = days.map(({ day }) => day);
    const happened = EVENTS.map(([name, colour, dash]) => {
      const values = days.map((day) => day[name]);
      return { title: name, colour, dash, values, texts: values.map(numberOf) };
    });
    const items = days.map(({ alive }) => alive);
    const worth = days.map(({ stock_value: value }) => value);
    const line = { colour: "--accent", dash: [] };
    const empty = latest !== null && latest < (names[0] ?? "");
    return html`${
        empty
          ? html`<p class="notice">
              Nothing happened in these days. The last activity before was on
              <a href=${href("overview", "", { days: this.count, to: latest })}>${latest}</a>.
            </p>`
          : nothing
      }
      <itl-chart .caption=${"Events per day"} .days=${names} .series=${happened}></itl-chart>
      <div class="columns">
        <itl-chart
          .caption=${"Items at the end of the day"}
          .days=${names}
          .series=${[{ ...line, title: "items", values: items, texts: items.map(numberOf) }]}
        ></itl-chart>
        <itl-chart
          .caption=${"Value of the items in stock"}
          .days=${names}
          .series=${[{ ...line, title: "stock value", values: worth.map(Number), texts: worth.map(priceOf) }]}
        ></itl-chart>
      </div>
      <p class="muted">
        Days are UTC. ${isToday ? "Today is not over: its figures can still change." : nothing}
        <a href=${href("overview", "", { days: this.count, to: addDays(last, -this.count) })}>Earlier days</a>
      </p>`;
  }
}

customElements.define("itl-activity-charts", ActivityCharts);
