/** `<itl-verify-log>`: verifies everything. It fires `checked` with the verdict. */

import { html, nothing } from "../vendor/lit.js";
import { withScope } from "../app/components.js";
import { Element, Loader } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { checkLog } from "./log_check.js";
import { logVerdict, progressOf } from "./log_result.js";
import { levelOf, worth } from "./verdict.js";

class VerifyLogCard extends Element {
  /** @override */
  static properties = { visit: { attribute: false }, progress: { state: true } };

  constructor() {
    super();
    /** @type {import("./audited_log.js").Visit | undefined} */
    this.visit = undefined;
    /** @type {import("./log_result.js").Progress | null} */
    this.progress = null;
    /** @type {Loader<import("./log_check.js").LogCheck>} */
    this.check = new Loader(this);
    this.cancelled = false;
  }

  /** @override */
  render() {
    return html`<section class="card" aria-labelledby="everything-title">
      <h2 id="everything-title">Verify everything</h2>
      <p>
        Streams the whole history to this browser, recomputes each event's hash and the tree of all of them, and
        compares the root with the current checkpoint and with those that were kept. 100,000 events take some seconds.
      </p>
      ${withScope("events:export", () => this.#controls())}
      ${this.check.loading ? progressOf(this.progress) : this.#verdict()}
    </section>`;
  }

  #controls() {
    return html`<div class="actions">
      ${
        this.check.loading
          ? html`<button @click=${() => this.#cancel()}>Cancel</button>`
          : html`<button class="primary" ?disabled=${this.visit === undefined} @click=${() => this.#start()}>
              Verify everything
            </button>`
      }
    </div>`;
  }

  #verdict() {
    if (this.cancelled) return html`<p class="notice warn" role="status">Cancelled: nothing was verified.</p>`;
    if (this.check.error) return problemNotice(this.check.error);
    if (this.check.value === undefined) return nothing;
    const { result, visit, seconds } = this.check.value;
    const { newest } = visit;
    const signature = () => (newest === null ? NO_CHECKPOINT : worth(newest));
    return logVerdict(result, seconds, signature, newest === null ? "warn" : levelOf(newest));
  }

  async #start() {
    const { visit } = this;
    if (visit === undefined) return;
    const startedMs = performance.now();
    this.cancelled = false;
    this.progress = null;
    this.check.value = undefined;
    await this.check.run((signal) =>
      checkLog(visit, (made) => (this.progress = { ...made, seconds: (performance.now() - startedMs) / 1000 }), signal),
    );
    if (this.check.value) this.dispatchEvent(new CustomEvent("checked", { detail: this.check.value, bubbles: true }));
  }

  #cancel() {
    this.check.clear();
    this.cancelled = true;
    this.requestUpdate();
  }
}

const NO_CHECKPOINT = html`<p>The service gave no checkpoint: it was compared with the kept ones alone.</p>`;

customElements.define("itl-verify-log", VerifyLogCard);
