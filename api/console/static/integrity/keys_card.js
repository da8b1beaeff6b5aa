/** `<itl-public-keys>`: the public keys that the auditor has pasted. */

import { html, nothing } from "../vendor/lit.js";
import { confirm } from "../app/components.js";
import { Element, Loader } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { publicKeys } from "./audited_log.js";

class PublicKeysCard extends Element {
  /** @override */
  static properties = { refused: { state: true }, added: { state: true } };

  constructor() {
    super();
    this.refused = "";
    this.added = "";
    /** @type {Loader<string[]>} */
    this.keys = new Loader(this);
    this.reload = () => this.keys.run(() => publicKeys.texts());
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    publicKeys.addEventListener("change", this.reload);
    void this.reload();
  }

  /** @override */
  disconnectedCallback() {
    publicKeys.removeEventListener("change", this.reload);
    super.disconnectedCallback();
  }

  /** @override */
  render() {
    const keys = this.keys.value ?? [];
    return html`<section class="card" aria-labelledby="keys-title">
      <h2 id="keys-title">Public keys</h2>
      <p>
        Signatures are checked against the keys that you paste here. Get the key from the operator by another channel
        than this service. It is kept in this browser; it is not a secret.
      </p>
      ${problemNotice(this.keys.error)}
      ${keys.length === 0 ? html`<p class="muted">No key: signatures cannot be verified.</p>` : this.#list(keys)}
      <form class="stack" @submit=${this.#submit}>
        <label>
          Public key, one a line
          <textarea name="key" rows="2" spellcheck="false" autocomplete="off" placeholder="NAME+ID+BASE64"></textarea>
        </label>
        <div class="row">
          <button>Add key</button>
          <label>or a file <input type="file" @change=${this.#file} /></label>
        </div>
        <p role="status" class=${this.added ? "" : "visually-hidden"}>${this.added}</p>
        ${this.refused ? html`<div class="notice problem" role="alert"><p>${this.refused}</p></div>` : nothing}
      </form>
    </section>`;
  }

  /** @param {string[]} keys */
  #list(keys) {
    return html`<ul class="plain">
      ${keys.map(
        (key) =>
          html`<li class="row">
            <code>${key}</code>
            <button aria-label="Remove the key ${key}" @click=${() => this.#remove(key)}>Remove</button>
          </li>`,
      )}
    </ul>`;
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (await this.#add(String(new FormData(form).get("key")))) form.reset();
  }

  /** @param {Event} event */
  async #file(event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const file = input.files?.[0];
    if (!file) return;
    // A key has some hundred bytes: what is much larger is another file.
    await this.#add(file.size > 65_536 ? "this file is too large" : await file.text());
    input.value = "";
  }

  /** @param {string} text */
  async #add(text) {
    this.refused = this.added = "";
    try {
      const count = await publicKeys.add(text);
      this.added = count === 1 ? "The key was added." : `${count} keys were added.`;
      return true;
    } catch (error) {
      this.refused = error instanceof Error ? error.message : String(error);
      return false;
    }
  }

  /** @param {string} key */
  async #remove(key) {
    const text = `Checkpoints that only ${key} signed are then no longer verified. You can paste it again.`;
    if (await confirm({ title: "Remove this key?", text, action: "Remove" })) await publicKeys.remove(key);
  }
}

customElements.define("itl-public-keys", PublicKeysCard);
