/** The view of the history: events newest first, by pages or live, with filters and exports. */

import { html, nothing } from "../vendor/lit.js";
import { busy } from "../app/components.js";
import { Loader, View } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { href } from "../app/router.js";
import { filterForm } from "../history/filter_form.js";
import { BOUNDS, FILTERS, filtersOf, without } from "../history/filters.js";
import { LiveFeed, MAX_ROWS } from "../history/live_feed.js";
import { eventTable } from "../history/rows.js";
import { PAGE_ROWS, scanEvents } from "../history/scan.js";
import "../history/export_buttons.js";
import "../history/live_bar.js";

/** @typedef {import("../history/scan.js").Scan} Scan */

class HistoryView extends View {
  constructor() {
    super();
    /** @type {Loader<Scan>} */
    this.page = new Loader(this);
    this.feed = new LiveFeed(this);
    this.cancel = new AbortController();
    this.version = 0;
  }

  /** @returns {boolean} whether the address asks for new events as they come */
  get following() {
    return this.route.params.has("follow") && !BOUNDS.some((name) => this.route.params.has(name));
  }

  /** @override */
  async load() {
    const filters = filtersOf(this.route.params);
    const { following } = this;
    this.feed.stop();
    this.page.clear();
    const cancel = (this.cancel = new AbortController());
    await this.page.run(async (signal) => {
      const report = (/** @type {Scan} */ scan) => {
        if (signal.aborted) return;
        this.page.value = scan;
        this.requestUpdate();
      };
      const scan = await scanEvents(filters, signal, cancel.signal, report);
      if (following && !signal.aborted) this.feed.start(filters, scan.events, scan.position);
      return scan;
    });
  }

  /** @override */
  render() {
    const { params } = this.route;
    const { value, error, loading } = this.page;
    const live = this.following && value !== undefined && !value.scanning;
    const events = live ? this.feed.rows : (value?.events ?? []);
    return html`<h1 tabindex="-1">History</h1>
      ${filterForm(params, this.following)} ${this.#followControls(live)} ${problemNotice(error)} ${busy(loading)}
      ${events.length > 0 ? eventTable(events, params) : nothing}
      ${value === undefined || error ? nothing : this.#end(value, live)}
      <itl-export .filters=${filtersOf(params)}></itl-export>`;
  }

  /** @param {boolean} live */
  #followControls(live) {
    const { params } = this.route;
    const bounds = BOUNDS.filter((name) => params.has(name));
    if (this.following) {
      return html`<div class="follow">
        ${live ? html`<itl-live-bar .feed=${this.feed} .version=${(this.version += 1)}></itl-live-bar>` : nothing}
        <a class="button" href=${without(params, "follow")}>Stop following</a>
      </div>`;
    }
    if (bounds.length === 0) {
      const followed = new URLSearchParams(params);
      followed.set("follow", "1");
      return html`<div class="follow">
        <a class="button primary" href=${href("history", "", followed)}>Follow new events</a>
      </div>`;
    }
    const labels = bounds.map((name) => FILTERS[name]?.label).join(", ");
    const unbounded = new URLSearchParams(params);
    for (const name of bounds) unbounded.delete(name);
    unbounded.set("follow", "1");
    return html`<div class="follow">
      <button disabled aria-describedby="why-not-followed">Follow new events</button>
      <span id="why-not-followed" class="muted">
        Not with ${labels}: a stream has no end.
        <a href=${href("history", "", unbounded)}>Follow without</a>
      </span>
    </div>`;
  }

  /**
   * Return where the events end, and the links onward.
   *
   * @param {Scan} scan
   * @param {boolean} live
   */
  #end({ events, next, scanning }, live) {
    const { params } = this.route;
    const dropped = live && events.length + this.feed.received > MAX_ROWS;
    const before = dropped ? this.feed.rows.at(-1)?.position : next?.get("before");
    const isShort = before && !dropped && events.length < PAGE_ROWS;
    const onward = new URLSearchParams(params);
    onward.delete("follow");
    if (before) onward.set("before", String(before));
    return html`<p role="status" class="scan">
        ${scanning ? `Scanning, down to position ${before} …` : nothing}
        ${isShort && !scanning ? `Scanned down to position ${before}. Older events can match, too.` : nothing}
      </p>
      ${scanning ? html`<button @click=${() => this.cancel.abort()}>Stop scanning</button>` : nothing}
      ${!before && !live && events.length === 0 ? html`<p class="notice">No event passes the filters.</p>` : nothing}
      <nav class="pager" aria-label="Pages">
        ${params.has("before") ? html`<a class="button" href=${without(params, "before")}>First page</a>` : nothing}
        ${
          before
            ? html`<a class="button" rel="next" href=${href("history", "", onward)}
                >${isShort ? "Continue scanning" : "Older events"}</a
              >`
            : html`<span class="muted">No older events</span>`
        }
      </nav>`;
  }
}

customElements.define("itl-history", HistoryView);
