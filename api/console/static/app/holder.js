/** Whose credential is in use, when it expires, and the way to forget it. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "./element.js";
import { ageOf } from "./format.js";
import { session } from "./session.js";

/** The end of a credential is announced this long before. */
const NOTICE_MS = 15 * 60_000;
/** How often the time that is left is looked at. */
const STEP_MS = 10_000;

class Holder extends Element {
  /** @override */
  static properties = { leftMs: { state: true } };

  constructor() {
    super();
    /** @type {number} until the credential expires */
    this.leftMs = Infinity;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.onChange = () => {
      this.#measure();
      this.requestUpdate();
    };
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    session.addEventListener("change", this.onChange);
    this.timer = setInterval(() => this.#measure(), STEP_MS);
    this.#measure();
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    session.removeEventListener("change", this.onChange);
    clearInterval(this.timer);
  }

  #measure() {
    const expiresAt = session.me?.expires_at;
    this.leftMs = expiresAt ? new Date(expiresAt).getTime() - Date.now() : Infinity;
    if (this.leftMs <= 0) void session.check();
  }

  /** @override */
  render() {
    const { me } = session;
    const ends = me?.expires_at ? `, expires ${me.expires_at}` : "";
    return html`<span role="status">${me && this.leftMs < NOTICE_MS ? this.#notice() : nothing}</span>
      ${me && html`<span title=${`${me.credential ?? "No credential is required"}${ends}`}>${me.actor}</span>`}
      ${me && session.signedIn ? html`<button @click=${() => session.signOut()}>Sign out</button>` : nothing}`;
  }

  #notice() {
    const left = this.leftMs < 60_000 ? "in less than a minute" : `in ${ageOf(Date.now() - this.leftMs)}`;
    return html`<span class="badge warn">Your credential expires ${left}</span>`;
  }
}

customElements.define("itl-holder", Holder);
