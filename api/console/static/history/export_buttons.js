/** The buttons that export what is shown, with progress and cancel. */

import { html, nothing } from "../vendor/lit.js";
import { withScope } from "../app/components.js";
import { Element } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { FORMATS, openSink, saveExport, sizeOf } from "./export_file.js";

class ExportButtons extends Element {
  /** @override */
  static properties = { filters: { attribute: false }, text: { state: true }, failure: { state: true } };

  constructor() {
    super();
    this.filters = new URLSearchParams();
    /** What happened, or how far it is. */
    this.text = "";
    /** @type {unknown} */
    this.failure = null;
    this.inMemory = false;
    /** @type {AbortController | null} */
    this.running = null;
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    this.running?.abort(); // nothing half is kept
  }

  /** @override */
  render() {
    return html`<section class="card" aria-labelledby="export-title">
      <h2 id="export-title">Export</h2>
      ${withScope("events:export", () => this.#content())}
    </section>`;
  }

  #content() {
    const running = this.running !== null;
    return html`<p>All events that pass the filters, on this page and on others, oldest first.</p>
      <div class="actions">
        ${Object.entries(FORMATS).map(
          ([format, { label }]) =>
            html`<button ?disabled=${running} @click=${() => this.#export(format)}>${label}</button>`,
        )}
        ${running ? html`<button @click=${() => this.running?.abort()}>Cancel the export</button>` : nothing}
      </div>
      ${running ? html`<progress aria-label="Export"></progress>` : nothing}
      <p role="status" class="export-state">${this.text}</p>
      ${
        running && this.inMemory
          ? html`<p class="muted">
              This browser cannot write to a file meanwhile, so the export is held in memory until it is whole.
            </p>`
          : nothing
      }
      ${problemNotice(this.failure)}`;
  }

  /** @param {string} format */
  async #export(format) {
    const { label, file } = /** @type {import("./export_file.js").ExportFormat} */ (FORMATS[format]);
    const running = (this.running = new AbortController());
    this.failure = null;
    this.text = "";
    try {
      const sink = await openSink(/** @type {any} */ (FORMATS[format]));
      this.inMemory = sink.inMemory;
      this.text = "Waiting for the first bytes …";
      const sizeBytes = await saveExport(format, this.filters, sink, running.signal, (sofar) => {
        this.text = `${sizeOf(sofar)} received`;
      });
      this.text = `The export is complete: ${sizeOf(sizeBytes)} of ${label}, in ${file}.`;
    } catch (error) {
      const cancelled = running.signal.aborted || /** @type {any} */ (error)?.name === "AbortError";
      this.text = cancelled ? "The export was cancelled. Nothing was saved." : "";
      if (!cancelled) this.failure = error;
    }
    this.running = null;
  }
}

customElements.define("itl-export", ExportButtons);
