/** The view of one item: its versions, its state at any of them beside now, and what the credential may do. */

import { html, nothing } from "../vendor/lit.js";
import { busy, lacksScope, pager } from "../app/components.js";
import { Loader, View } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { href } from "../app/router.js";
import { session } from "../app/session.js";
import { readItem, readItemOfNow } from "../items/item_page.js";
import { timeline } from "../items/timeline.js";
import { twoStates } from "../items/two_states.js";
import { Editor } from "../writes/editor.js";

/** @typedef {import("../items/item_page.js").ItemPage} ItemPage */

class ItemView extends View {
  constructor() {
    super();
    /** @type {Loader<ItemPage>} */
    this.page = new Loader(this);
    this.editor = new Editor(this, (position) => this.#read(position));
    this.shownId = "";
  }

  /** @override */
  async load() {
    if (this.shownId !== this.route.id) this.page.clear();
    this.shownId = this.route.id;
    this.editor.clear();
    await this.#read();
    await this.updateComplete;
    if (this.route.params.has("as_of")) this.querySelector(".states")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number=} minPosition */
  #read(minPosition = 0) {
    const { id, params } = this.route;
    return this.page.run((signal) =>
      session.may("events:read") ? readItem(id, params, minPosition, signal) : readItemOfNow(id, minPosition, signal),
    );
  }

  /** @override */
  render() {
    const { value, error, loading } = this.page;
    const item = value?.now.item ?? value?.last?.item;
    return html`<h1 tabindex="-1">Item ${this.route.id}${item ? `: ${item.name}` : nothing}</h1>
      <p><a href="#/items">All items</a></p>
      ${problemNotice(error)} ${busy(loading)} ${this.editor.news()}
      ${value === undefined || error ? nothing : this.#content(value)}`;
  }

  /** @param {ItemPage} page */
  #content({ now, last, then, versions, next }) {
    const { route } = this;
    const params = new URLSearchParams(route.params);
    params.delete("as_of");
    return html`<div class="columns item">
      <section class="card" aria-labelledby="state-title">
        <h2 id="state-title">State</h2>
        ${now.item === null ? html`<p><span class="badge deleted">deleted</span> Clients no longer see it.</p>` : nothing}
        <div class="scroll" role="region" aria-label="State" tabindex="0">${twoStates(then, now)}</div>
        ${then === null ? nothing : html`<p><a href=${href("items", route.id, params)}>Show now alone</a></p>`}
        ${this.#actions(now, last)}
      </section>
      <section aria-labelledby="versions-title">
        <h2 id="versions-title">Versions</h2>
        ${
          versions === null
            ? lacksScope("events:read")
            : html`${timeline(route, versions, then?.state.event?.version ?? null)} ${pager(route, ["before"], next)}`
        }
      </section>
    </div>`;
  }

  /**
   * @param {import("../items/item_state.js").ItemState} now
   * @param {import("../items/item_state.js").ItemState | null} last
   */
  #actions({ item }, last) {
    if (!session.may("items:write")) {
      return html`<p class="muted">To change the item, a credential needs the scope <code>items:write</code>.</p>`;
    }
    const was = last?.item ?? null;
    return html`<div class="actions">
      ${
        item === null
          ? html`<button
              class="primary"
              @click=${() => was && this.editor.restore(async () => ({ item: was, etag: last?.etag ?? null }))}
            >
              Restore
            </button>`
          : html`<button @click=${() => this.editor.edit(item.id)}>Edit</button>
              <button class="danger" @click=${() => this.editor.remove(item.id)}>Delete</button>`
      }
    </div>`;
  }
}

customElements.define("itl-item", ItemView);
