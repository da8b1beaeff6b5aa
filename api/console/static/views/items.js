/** The view `Items`: the list as of any moment, compared with now; and, of now, what the credential may change. */

import { html, nothing } from "../vendor/lit.js";
import { busy, lacksScope, pager, table } from "../app/components.js";
import { Loader, View } from "../app/element.js";
import { ApiProblem, problemNotice } from "../app/problem.js";
import { href, navigate } from "../app/router.js";
import { session } from "../app/session.js";
import { numeric } from "../items/cells.js";
import { compared } from "../items/compared.js";
import { Comparison } from "../items/comparison.js";
import { filters } from "../items/filters.js";
import { Head } from "../items/head.js";
import { readList } from "../items/list.js";
import { row } from "../items/rows.js";
import { Editor } from "../writes/editor.js";
import "../items/as_of.js";

class ItemsView extends View {
  constructor() {
    super();
    /** @type {Loader<import("../items/list.js").ItemList>} */
    this.list = new Loader(this);
    this.comparison = new Comparison(this);
    this.head = new Head(this);
    this.editor = new Editor(this, (position) => this.#read(this.route.params, position));
  }

  /** @override */
  load() {
    this.editor.clear();
    if (this.#asOf !== null && !session.may("events:read")) return this.list.clear();
    void this.#read(this.route.params);
  }

  /**
   * @param {URLSearchParams} params
   * @param {number=} minPosition
   */
  async #read(params, minPosition = 0) {
    this.comparison.clear();
    await this.list.run((signal) => readList(params, session.may("events:read"), minPosition, signal));
    const list = this.list.value;
    if (this.list.loading || this.list.error || list === undefined) return;
    this.head.note(list.head);
    if (list.isCompared) await this.comparison.run(list);
  }

  get #asOf() {
    return this.route.params.get("as_of");
  }

  /** @override */
  render() {
    const { error } = this.list;
    const errors = error instanceof ApiProblem ? error.errors : [];
    const wrongMoment = errors.find((one) => one.parameter === "as_of");
    return html`<h1 tabindex="-1">Items</h1>
      ${this.#moments(wrongMoment?.detail ?? "")}
      ${filters(this.route.params, errors, (chosen) => this.#go({ ...chosen, cursor: "" }))}
      ${wrongMoment ? nothing : problemNotice(error)} ${problemNotice(this.comparison.loader.error)}
      ${busy(this.list.loading)} ${error ? nothing : this.#content()}`;
  }

  /** @param {string} problem */
  #moments(problem) {
    if (!session.may("events:read")) {
      return html`<section class="card">
        <h2>As of</h2>
        ${lacksScope("events:read")}
        <p>
          ${this.#asOf === null ? "It is needed for the items of earlier moments." : html`<a href="#/items">Items of now</a>`}
        </p>
      </section>`;
    }
    const list = this.list.value;
    return html`<itl-as-of
      .asOf=${this.#asOf}
      .head=${this.head.position}
      .moment=${list?.earlier ?? list?.moment ?? null}
      .problem=${problem}
      @seek=${(/** @type {CustomEvent} */ { detail }) =>
        this.#go(
          { as_of: detail.asOf, show: detail.asOf === null ? "" : this.route.params.get("show"), cursor: "" },
          detail.replace,
        )}
    ></itl-as-of>`;
  }

  #content() {
    const list = this.list.value;
    if (list === undefined) return nothing;
    return list.isCompared ? compared(this.route, list, this.comparison.marks) : this.#now(list);
  }

  /** @param {import("../items/list.js").ItemList} list */
  #now({ items, next, moment }) {
    const mayWrite = session.may("items:write");
    const columns = ["Id", "Name", numeric("Price"), "In stock"];
    return html`${
        mayWrite
          ? html`<p><button class="primary" @click=${() => this.editor.create()}>Create an item</button></p>`
          : html`<p class="muted">To change items, a credential needs the scope <code>items:write</code>.</p>`
      }
      ${this.editor.news()}
      <div role="status">
        ${
          this.head.position > moment.position
            ? html`<p class="notice">
                The log has grown since this list was read. <button @click=${() => this.load()}>Reload</button>
              </p>`
            : nothing
        }
      </div>
      ${table(
        "Items",
        mayWrite ? [...columns, html`<span class="visually-hidden">Actions</span>`] : columns,
        items.map((item) => row(item, mayWrite ? this.editor : null)),
      )}
      ${items.length === 0 ? html`<p>No items match.</p>` : nothing} ${pager(this.route, ["cursor"], next)}`;
  }

  /**
   * @param {Record<string, string | null>} changes
   * @param {boolean=} replace
   */
  #go(changes, replace = false) {
    const params = new URLSearchParams(this.route.params);
    for (const [name, value] of Object.entries(changes)) params.set(name, value ?? "");
    navigate(href("items", "", params), { replace });
  }
}

customElements.define("itl-items", ItemsView);
