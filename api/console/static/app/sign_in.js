/** The form that asks for a credential. */

import { html } from "../vendor/lit.js";
import { Element } from "./element.js";
import { problemNotice } from "./problem.js";
import { session } from "./session.js";

class SignIn extends Element {
  /** @override */
  static properties = { busy: { state: true }, refused: { state: true } };

  constructor() {
    super();
    this.busy = false;
    this.refused = session.problem?.code === "credential-required" ? null : session.problem;
  }

  /** @override */
  render() {
    return html`<h1 tabindex="-1">Sign in</h1>
      <p>
        This service requires a credential: an API key or an access token. It is sent in a header and never stored on
        disk.
      </p>
      ${problemNotice(this.refused)}
      <form class="stack" @submit=${this.#submit}>
        <label>
          Credential
          <input name="credential" type="password" autocomplete="off" spellcheck="false" required autofocus />
        </label>
        <label class="check">
          <input name="kept" type="checkbox" />
          Keep it in this tab until the tab is closed. Otherwise a reload forgets it.
        </label>
        <div class="actions"><button class="primary" ?disabled=${this.busy}>Sign in</button></div>
      </form>`;
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const values = new FormData(/** @type {HTMLFormElement} */ (event.target));
    this.busy = true;
    await session.signIn(String(values.get("credential")).trim(), values.has("kept"));
    this.refused = session.problem;
    this.busy = false;
  }
}

customElements.define("itl-sign-in", SignIn);
