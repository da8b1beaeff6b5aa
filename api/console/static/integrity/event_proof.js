/**
 * `<itl-event-proof>`: proves the event at `position` in this browser, and shows the verdict. The view Integrity shows
 * it; Event has `proveEvent` of history/event_proof.js, which names what differs and does not look at kept checkpoints.
 */

import { html, nothing } from "../vendor/lit.js";
import { Element, Loader } from "../app/element.js";
import { numberOf } from "../app/format.js";
import { problemNotice } from "../app/problem.js";
import { href } from "../app/router.js";
import { contradictionsOf, publicKeys } from "./audited_log.js";
import { proveEvent } from "./event_check.js";
import { levelOf, verdict, worth } from "./verdict.js";

class EventProof extends Element {
  /** @override */
  static properties = { position: { attribute: false } };

  constructor() {
    super();
    /** @type {string | number | null} */
    this.position = null;
    /** @type {Loader<import("./event_check.js").EventVerdict>} */
    this.verdict = new Loader(this);
    this.again = () => this.#prove();
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    publicKeys.addEventListener("change", this.again);
  }

  /** @override */
  disconnectedCallback() {
    publicKeys.removeEventListener("change", this.again);
    super.disconnectedCallback();
  }

  /**
   * @override
   * @param {import("lit").PropertyValues} changed
   */
  willUpdate(changed) {
    if (changed.has("position")) this.#prove();
  }

  #prove() {
    const { position } = this;
    if (position === null || position === "") return this.verdict.clear();
    this.verdict.value = undefined;
    void this.verdict.run((signal) => proveEvent(position, signal));
  }

  /** @override */
  render() {
    if (this.verdict.loading) return html`<p class="muted" role="status">Proving event ${this.position} …</p>`;
    if (this.verdict.error) return problemNotice(this.verdict.error);
    return this.verdict.value === undefined ? nothing : this.#verdict(this.verdict.value);
  }

  /** @param {import("./event_check.js").EventVerdict} found */
  #verdict({ kind, reason, leaf, hashes, visit }) {
    const text = leaf === null ? nothing : this.#leaf(leaf, hashes);
    if (kind === "failed") {
      return verdict(
        "bad",
        `Event ${this.position}: NOT PROVEN`,
        html`<p>The event that the service shows is not proven to be the one that was recorded: ${reason}.</p>
          <p>
            Do not rely on it. Keep this page and your checkpoints, and verify everything in
            <a href=${href("integrity")}>Integrity</a>.
          </p>
          ${text}`,
      );
    }
    if (kind === "not-checkable" || !visit?.newest) {
      return verdict(
        "warn",
        `Event ${this.position}: cannot be checked here`,
        html`<p>${reason}</p>
          <p>
            Nothing was found right or wrong. Serve the console over HTTPS or open it on localhost, or use
            <code>itemledger verify proof</code>.
          </p>`,
      );
    }
    if (contradictionsOf(visit).length > 0) {
      return verdict(
        "bad",
        `Event ${this.position}: proven in a log that contradicts a kept checkpoint`,
        html`<p>The log was rewritten. <a href=${href("integrity")}>Integrity</a> shows the contradiction.</p>
          ${text}`,
      );
    }
    return verdict(
      levelOf(visit.newest),
      `Event ${this.position}: proven by this browser`,
      html`<p>
          It recomputed the hash of the event's text and walked ${numberOf(hashes)} hashes to the root of the
          checkpoint.
        </p>
        ${worth(visit.newest)} ${text}`,
    );
  }

  /**
   * @param {string} leaf
   * @param {number} hashes
   */
  #leaf(leaf, hashes) {
    return html`<details>
      <summary>The text that was hashed${hashes > 0 ? nothing : ", of the event as it is shown"}</summary>
      <pre>${leaf}</pre>
    </details>`;
  }
}

customElements.define("itl-event-proof", EventProof);
