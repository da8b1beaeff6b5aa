/** The form that asks for a credential. */

import { html } from "../vendor/lit.js";
import { Element } from "./element.js";
import { ApiProblem, problemNotice } from "./problem.js";
import { session } from "./session.js";

/** What a header can carry (RFC 6750). Other characters come from a copied text that is not a credential. */
const CREDENTIAL = /^[!-~]+$/;

class SignIn extends Element {
  /** @override */
  static properties = { busy: { state: true }, refused: { state: true } };

  constructor() {
    super();
    this.busy = false;
    /** @type {unknown} why the last credential was not accepted */
    this.refused = session.problem?.code === "credential-required" ? null : session.problem;
  }

  /** @override */
  firstUpdated() {
    this.querySelector("input")?.focus();
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
          <input name="credential" type="password" autocomplete="off" spellcheck="false" required />
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
    if (this.busy) return;
    const values = new FormData(/** @type {HTMLFormElement} */ (event.target));
    this.busy = true;
    this.refused = null; // the same reason again is announced again
    try {
      await this.#signIn(String(values.get("credential")).trim(), values.has("kept"));
    } catch (error) {
      this.refused = error;
      this.querySelector("input")?.select();
    }
    this.busy = false;
  }

  /**
   * @param {string} credential
   * @param {boolean} kept
   */
  async #signIn(credential, kept) {
    if (CREDENTIAL.test(credential)) return session.signIn(credential, kept);
    const detail = "A credential has no spaces, line ends or accented characters. Copy it again, alone.";
    throw new ApiProblem(401, { title: "Not a credential", detail });
  }
}

customElements.define("itl-sign-in", SignIn);
