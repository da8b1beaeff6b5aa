/** The form that creates a key. */

import { html, nothing } from "../vendor/lit.js";
import { call } from "../app/api.js";
import { Element } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { session } from "../app/session.js";
import { ADMIN, LIFETIMES } from "./key.js";
import { showNewKey } from "./new_key_dialog.js";

const YEAR = 365 * 24 * 3600;
/** How often it is asked whether the first key is known to the service, and how many times. */
const CLOSED_DELAY_MS = 200;
const CLOSED_TRIES = 25;

class KeyForm extends Element {
  /** @override */
  static properties = { busy: { state: true }, error: { state: true }, chosen: { state: true } };

  constructor() {
    super();
    this.busy = false;
    /** @type {unknown} */
    this.error = null;
    /** @type {string[]} the scopes of the key */
    this.chosen = [];
  }

  /** @override */
  render() {
    const isOpen = session.me?.credential_required === false;
    return html`${isOpen ? this.#openNotice() : nothing}
      <form class="stack" @submit=${this.#submit}>
        <label>
          Name of the holder: the actor of all events caused with the key
          <input name="name" required maxlength="100" autocomplete="off" spellcheck="false" />
        </label>
        <fieldset>
          <legend>Scopes: at most those of your own credential</legend>
          ${session.me?.scopes.map(
            (scope) =>
              html`<label class="check">
                <input name="scopes" type="checkbox" value=${scope} @change=${this.#choose} />
                <code>${scope}</code>
              </label>`,
          )}
        </fieldset>
        <label>
          Lifetime
          <select name="expires_in">
            ${LIFETIMES.map(([seconds, text]) => html`<option value=${seconds} ?selected=${seconds === YEAR}>${text}</option>`)}
          </select>
        </label>
        <div class="actions">
          <button class="primary" ?disabled=${this.busy || this.chosen.length === 0}>Create the key</button>
          ${this.chosen.length === 0 ? html`<span class="muted">Choose at least one scope.</span>` : nothing}
        </div>
      </form>
      ${problemNotice(this.error)}`;
  }

  #openNotice() {
    const lacks = this.chosen.length > 0 && !this.chosen.includes(ADMIN);
    return html`<p class="notice warn">
      This service is open: requests need no credential. <strong>The first key closes it</strong>: from then on every
      request needs one, also those of this page. Give the first key <code>${ADMIN}</code>, and sign in with it:
      otherwise only an operator with access to the database can create others (<code>itemledger keys create</code>).
      ${lacks ? html`<strong>The scopes that you chose lack <code>${ADMIN}</code>.</strong>` : nothing}
    </p>`;
  }

  #choose() {
    const chosen = this.querySelectorAll("input[name=scopes]:checked");
    this.chosen = [...chosen].map((box) => /** @type {HTMLInputElement} */ (box).value);
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const values = new FormData(form);
    const wasOpen = session.me?.credential_required === false;
    const body = { name: values.get("name"), scopes: this.chosen, expires_in: Number(values.get("expires_in")) };
    this.busy = true;
    this.error = null;
    try {
      const { data } = await call("POST", "keys", { body });
      form.reset();
      this.chosen = [];
      const signedIn = await showNewKey(data, wasOpen);
      if (!wasOpen) this.dispatchEvent(new Event("keys", { bubbles: true }));
      else if (!signedIn) await untilClosed();
    } catch (error) {
      this.error = error;
    }
    this.busy = false;
  }
}

/** Wait until the service is closed, which takes up to a second: then the page asks for a credential. */
async function untilClosed() {
  for (let tries = 0; session.me !== null && tries < CLOSED_TRIES; tries++) {
    await session.check();
    await new Promise((resolve) => setTimeout(resolve, CLOSED_DELAY_MS));
  }
}

customElements.define("itl-key-form", KeyForm);
