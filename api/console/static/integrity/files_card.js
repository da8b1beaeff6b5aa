/** `<itl-verify-files>`: verifies exported files, proofs and checkpoints without the service. */

import { html, nothing } from "../vendor/lit.js";
import { Element, Loader } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { KIND_WORDS, recognise } from "../audit/dropped_files.js";
import { verifyDropped } from "../audit/offline.js";
import { newWorker, prepareWorker, release } from "../audit/worker_client.js";
import { publicKeys } from "./audited_log.js";
import { progressOf } from "./log_result.js";
import { verdict } from "./verdict.js";

const LEVELS = /** @type {const} */ ({ good: "good", bad: "bad", unknown: "warn", cancelled: "warn" });

class VerifyFilesCard extends Element {
  /** @override */
  static properties = { files: { state: true }, progress: { state: true } };

  constructor() {
    super();
    /** @type {import("../audit/dropped_files.js").DroppedFile[]} */
    this.files = [];
    /** @type {import("./log_result.js").Progress | null} */
    this.progress = null;
    /** @type {Loader<import("../audit/findings.js").Finding[]>} */
    this.findings = new Loader(this);
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    prepareWorker(); // while the service is there to load it from
  }

  /** @override */
  render() {
    return html`<section class="card" id="offline" aria-labelledby="files-title">
      <h2 id="files-title">Verify files, without the service</h2>
      <p>
        An export as JSON Lines with its manifest, checkpoints, proofs. They are recognised by their content, they stay
        in this browser, and nothing is asked of the service.
      </p>
      <div class="dropzone" @dragover=${this.#over} @drop=${this.#drop}>
        <label>
          Drop files here, or choose them
          <input type="file" multiple @change=${this.#choose} />
        </label>
      </div>
      ${this.files.length === 0 ? nothing : this.#list()} ${this.findings.loading ? this.#running() : this.#found()}
      <details>
        <summary>To trust not even this page</summary>
        <p>
          The service sends this page, and could send another one. An operator writes it as one file that needs no
          service: <code>itemledger console --offline-verifier verifier.html</code>. Get it once from a source that you
          trust, keep it, and open it from your disk. The command line checks the same:
          <code>itemledger verify log log.jsonl --checkpoint FILE --public-key log.pub</code>.
        </p>
      </details>
    </section>`;
  }

  #list() {
    return html`<ul>
      ${this.files.map(({ file, kind }) => html`<li><code>${file.name}</code>: ${KIND_WORDS[kind]}</li>`)}
    </ul>`;
  }

  #running() {
    return html`<div class="actions"><button @click=${() => this.#cancel()}>Cancel</button></div>
      ${progressOf(this.progress)}`;
  }

  #found() {
    if (this.findings.error) return problemNotice(this.findings.error);
    return (this.findings.value ?? []).map((found) =>
      verdict(
        LEVELS[found.verdict],
        found.headline,
        html`<ul>
          ${found.details.map((detail) => html`<li>${detail}</li>`)}
        </ul>`,
      ),
    );
  }

  /** @param {DragEvent} event */
  #over(event) {
    event.preventDefault(); // otherwise the browser opens what is dropped
  }

  /** @param {DragEvent} event */
  #drop(event) {
    event.preventDefault();
    void this.#verify(event.dataTransfer?.files);
  }

  /** @param {Event} event */
  async #choose(event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    await this.#verify(input.files);
    input.value = "";
  }

  /** @param {FileList | null | undefined} chosen */
  async #verify(chosen) {
    if (!chosen?.length) return;
    const files = [...chosen];
    const startedMs = performance.now();
    this.findings.value = undefined;
    this.progress = null;
    await this.findings.run(async (signal) => {
      this.files = await recognise(files);
      const { findings, cancel } = verifyDropped(this.files, {
        publicKeys: (await publicKeys.texts()).join("\n"),
        newWorker,
        release,
        report: (made) => (this.progress = { ...made, seconds: (performance.now() - startedMs) / 1000 }),
      });
      signal.addEventListener("abort", cancel);
      return findings;
    });
  }

  #cancel() {
    this.findings.clear();
    this.findings.value = [{ verdict: "cancelled", headline: "Cancelled: nothing was verified.", details: [] }];
    this.requestUpdate();
  }
}

customElements.define("itl-verify-files", VerifyFilesCard);
