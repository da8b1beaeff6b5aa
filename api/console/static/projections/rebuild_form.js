/** The form that starts a rebuild of one projection. */

import { html, nothing } from "../vendor/lit.js";
import { call } from "../app/api.js";
import { confirm } from "../app/components.js";
import { Element } from "../app/element.js";
import { ApiProblem, problemNotice } from "../app/problem.js";
import { rightsOf } from "./rebuild_progress.js";

class RebuildForm extends Element {
  /** @override */
  static properties = { name: { attribute: false }, busy: { state: true }, error: { state: true } };

  constructor() {
    super();
    this.name = "";
    this.busy = false;
    /** @type {unknown} */
    this.error = null;
  }

  /** @override */
  render() {
    return html`<form class="stack" @submit=${this.#submit}>
        <label class="check">
          <input name="dry_run" type="checkbox" checked />
          Dry run: rebuild and compare, and change nothing
        </label>
        <label class="check">
          <input name="from_scratch" type="checkbox" />
          From scratch: do not resume an interrupted rebuild
        </label>
        <label>
          Throttle, in events a second; empty for full speed
          <input name="throttle" type="number" min="1" max="1000000" step="1" inputmode="numeric" />
        </label>
        <div class="actions"><button class="primary" ?disabled=${this.busy}>Rebuild ${this.name}</button></div>
      </form>
      ${problemNotice(this.error)}
      ${this.error instanceof ApiProblem && this.error.code === "rebuild-failed" ? rightsOf(this.name) : nothing}`;
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const values = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const isDry = values.has("dry_run");
    const params = {
      dry_run: isDry || null,
      from_scratch: values.has("from_scratch") || null,
      throttle: String(values.get("throttle")),
    };
    if (!isDry && !(await this.#isConfirmed())) return;
    this.busy = true;
    this.error = null;
    try {
      await call("POST", `projections/${this.name}/rebuild`, { params });
    } catch (error) {
      this.error = error;
    }
    this.busy = false;
    this.dispatchEvent(new Event("rebuild", { bubbles: true })); // also after a problem: another rebuild may run
  }

  #isConfirmed() {
    return confirm({
      title: `Rebuild ${this.name}?`,
      text:
        `The table is built again from the log and compared with the live table. Rows that differ are corrected, or the ` +
        `new table is swapped in if its version is new. Reads and writes continue meanwhile.`,
      action: "Rebuild",
    });
  }
}

customElements.define("itl-rebuild-form", RebuildForm);
