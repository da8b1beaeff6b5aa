/** The form that starts a rebuild of one projection. Its event `rebuild` has the problem if there was one. */

import { html } from "../vendor/lit.js";
import { call } from "../app/api.js";
import { confirm } from "../app/components.js";
import { Element } from "../app/element.js";

class RebuildForm extends Element {
  /** @override */
  static properties = { name: { attribute: false }, busy: { state: true } };

  constructor() {
    super();
    this.name = "";
    this.busy = false;
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
    </form>`;
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
    /** @type {unknown} */
    let problem = null;
    try {
      await call("POST", `projections/${this.name}/rebuild`, { params });
    } catch (error) {
      problem = error;
    }
    this.busy = false;
    // Also after a problem: another rebuild may run, whose progress then takes the place of this form.
    this.dispatchEvent(new CustomEvent("rebuild", { bubbles: true, detail: problem }));
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
