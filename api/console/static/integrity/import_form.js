/** `<itl-import-checkpoints>`: checkpoints that the auditor kept elsewhere. It fires `stored` when some were added. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../app/element.js";
import { parseCheckpoint } from "../verify/index.js";
import { keptCheckpoints, publicKeys } from "./audited_log.js";
import { checkpointsOf } from "../audit/exported_checkpoints.js";
import { signatureOf } from "./signature.js";

class ImportCheckpoints extends Element {
  /** @override */
  static properties = { visit: { attribute: false }, refused: { state: true }, imported: { state: true } };

  constructor() {
    super();
    /** @type {import("./audited_log.js").Visit | undefined} */
    this.visit = undefined;
    this.refused = "";
    this.imported = "";
  }

  /** @override */
  render() {
    return html`<details>
      <summary>Import checkpoints that you kept elsewhere</summary>
      <form class="stack" @submit=${this.#submit} @dragover=${this.#over} @drop=${this.#drop}>
        <label>
          Checkpoints: paste their texts, or drop files here
          <textarea name="checkpoints" rows="5" spellcheck="false" autocomplete="off"></textarea>
        </label>
        <div class="row">
          <button>Import</button>
          <label>or files <input type="file" multiple @change=${this.#files} /></label>
        </div>
      </form>
      <p role="status">${this.imported}</p>
      ${this.refused ? html`<div class="notice problem" role="alert"><p>${this.refused}</p></div>` : nothing}
    </details>`;
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (await this.#import([String(new FormData(form).get("checkpoints"))])) form.reset();
  }

  /** @param {DragEvent} event */
  #over(event) {
    event.preventDefault(); // otherwise the browser opens what is dropped
  }

  /** @param {DragEvent} event */
  async #drop(event) {
    if (!event.dataTransfer?.files.length) return; // dropped text goes into the field
    event.preventDefault();
    await this.#import(await Promise.all([...event.dataTransfer.files].map((file) => file.text())));
  }

  /** @param {Event} event */
  async #files(event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    await this.#import(await Promise.all([...(input.files ?? [])].map((file) => file.text())));
    input.value = "";
  }

  /** @param {string[]} sources */
  async #import(sources) {
    this.refused = this.imported = "";
    try {
      const texts = sources.flatMap(checkpointsOf);
      await this.#check(texts);
      const count = await keptCheckpoints.keep(texts);
      this.imported = `${count} of ${texts.length} imported; the others were kept already.`;
      if (count === texts.length) this.imported = `${count} imported.`;
      this.dispatchEvent(new CustomEvent("stored", { bubbles: true }));
      return true;
    } catch (error) {
      this.refused = error instanceof Error ? error.message : String(error);
      return false;
    }
  }

  /**
   * Throw an Error for a checkpoint that would contradict the log without proving anything about it.
   *
   * @param {string[]} texts
   */
  async #check(texts) {
    const keys = await publicKeys.list();
    const origin = this.visit?.newest?.checkpoint.origin;
    for (const text of texts) {
      const checkpoint = parseCheckpoint(text);
      const which = `The checkpoint of ${checkpoint.size} events`;
      if (origin !== undefined && checkpoint.origin !== origin) {
        throw new Error(
          `${which} is of the log ${checkpoint.origin}. This service's log is ${origin}. Nothing was imported.`,
        );
      }
      const { state, reason } = await signatureOf(text, keys);
      if (state === "wrong") throw new Error(`${which} was not signed as it says: ${reason}. Nothing was imported.`);
    }
  }
}

customElements.define("itl-import-checkpoints", ImportCheckpoints);
