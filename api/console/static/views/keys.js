/** The view `Keys`: the API keys, and what can be done to them. A new key is shown once. */

import { html } from "../vendor/lit.js";
import { call, get } from "../app/api.js";
import { busy, confirm, pager } from "../app/components.js";
import { Loader, View } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { href, navigate } from "../app/router.js";
import { session } from "../app/session.js";
import { isOwn, keyTable } from "../keys/key_table.js";
import { showNewKey } from "../keys/new_key_dialog.js";
import { askOverlap } from "../keys/rotate_dialog.js";
import "../keys/key_form.js";

/** @typedef {import("../keys/key.js").Key} Key */

class KeysView extends View {
  /** @override */
  static properties = { ...View.properties, failure: { state: true } };

  constructor() {
    super();
    /** @type {Loader<{keys: Key[], next: URLSearchParams | null}>} */
    this.page = new Loader(this);
    /** @type {unknown} why a key could not be changed */
    this.failure = null;
  }

  /** @override */
  load() {
    const { params } = this.route;
    const query = { ended: params.get("ended"), cursor: params.get("cursor") };
    return this.page.run(async (signal) => {
      const { data, next } = await get("keys", { params: query, signal });
      return { keys: data, next };
    });
  }

  /** @override */
  render() {
    const { value, error, loading } = this.page;
    return html`<h1 tabindex="-1">Keys</h1>
      <section class="card" aria-labelledby="list-title">
        <h2 id="list-title">API keys</h2>
        <div class="row">
          <label class="check">
            <input type="checkbox" .checked=${this.route.params.get("ended") === "true"} @change=${this.#showEnded} />
            Show expired and revoked keys, too
          </label>
        </div>
        ${problemNotice(this.failure)} ${problemNotice(error)}
        ${value === undefined ? busy(loading) : this.#keys(value)}
      </section>
      <section class="card" aria-labelledby="create-title" @keys=${() => this.load()}>
        <h2 id="create-title">Create a key</h2>
        <itl-key-form></itl-key-form>
      </section>`;
  }

  /** @param {{keys: Key[], next: URLSearchParams | null}} page */
  #keys({ keys, next }) {
    if (keys.length === 0) return html`<p>There is no ${this.route.params.has("ended") ? "" : "active "}key.</p>`;
    const actions = {
      rotate: (/** @type {Key} */ key) => this.#change(() => this.#rotate(key)),
      revoke: (/** @type {Key} */ key) => this.#change(() => this.#revoke(key)),
    };
    return html`${keyTable(keys, actions)} ${pager(this.route, ["cursor"], next)}`;
  }

  /** @param {Event} event */
  #showEnded(event) {
    const { checked } = /** @type {HTMLInputElement} */ (event.target);
    navigate(href("keys", "", { ended: checked || null }));
  }

  /** @param {() => Promise<void>} change */
  async #change(change) {
    this.failure = null;
    try {
      await change();
    } catch (error) {
      this.failure = error;
    }
    if (this.isConnected) await this.load();
  }

  /** @param {Key} key */
  async #rotate(key) {
    const overlap = await askOverlap(key);
    if (overlap === null) return;
    const own = isOwn(key);
    const { data } = await call("POST", `keys/${key.id}/rotate`, { body: { overlap } });
    await showNewKey(data, own);
  }

  /** @param {Key} key */
  async #revoke(key) {
    const own = isOwn(key);
    const question = {
      title: `Revoke ${key.id} of ${key.name}?`,
      text: `Every process rejects the key within one second, and it cannot be restored.${own ? " It is the key that you are signed in with: you will be signed out." : ""}`,
      action: "Revoke",
    };
    if (!(await confirm(question))) return;
    await call("DELETE", `keys/${key.id}`);
    if (own) await session.signOut();
  }
}

customElements.define("itl-keys", KeysView);
