/** `<itl-kept-checkpoints>`: the checkpoints that this browser has seen, and whether the log still begins with each. */

import { html, nothing } from "../vendor/lit.js";
import { confirm, download, table } from "../app/components.js";
import { Element } from "../app/element.js";
import { hashOf, numberOf, timeOf } from "../app/format.js";
import { keptCheckpoints } from "./audited_log.js";
import { checkpointName } from "./checkpoint_card.js";
import { exportText } from "../audit/exported_checkpoints.js";
import "./import_form.js";

const PAGE_ROWS = 20;
const ORDER = { contradiction: 0, "not-checkable": 1, consistent: 2 };
const BADGES = {
  consistent: html`<span class="badge good">consistent</span>`,
  contradiction: html`<span class="badge bad">CONTRADICTION</span>`,
  "not-checkable": html`<span class="badge warn">not checkable</span>`,
};

class KeptCheckpointsCard extends Element {
  /** @override */
  static properties = { visit: { attribute: false }, rows: { state: true } };

  constructor() {
    super();
    /** @type {import("./audited_log.js").Visit | undefined} */
    this.visit = undefined;
    this.rows = PAGE_ROWS;
  }

  /** @override */
  render() {
    const results = this.visit?.results ?? [];
    return html`<section class="card" aria-labelledby="kept-title">
      <h2 id="kept-title">Kept checkpoints</h2>
      <p>
        This browser keeps each checkpoint that it sees, and proves on each visit that the current log begins with each.
        Export them, and store the file where the operator cannot reach it.
      </p>
      ${results.length === 0 ? html`<p class="muted">None yet.</p>` : this.#list(results)}
      <itl-import-checkpoints .visit=${this.visit}></itl-import-checkpoints>
    </section>`;
  }

  /** @param {import("./audited_log.js").KeptResult[]} results */
  #list(results) {
    // What is wrong comes first, then the newest.
    const sorted = results.toReversed().sort((a, b) => ORDER[a.relation.kind] - ORDER[b.relation.kind]);
    const rest = sorted.length - this.rows;
    return html`${table(
        "Kept checkpoints",
        ["Events", "Root", "First seen", "Compared with the current log", ""],
        sorted.slice(0, this.rows).map((one) => this.#row(one)),
      )}
      <div class="actions">
        ${
          rest > 0
            ? html`<button @click=${() => (this.rows += 10 * PAGE_ROWS)}>
                Show more (${numberOf(rest)} not shown)
              </button>`
            : nothing
        }
        <button @click=${() => download("checkpoints.json", exportText(results.map(({ kept }) => kept)))}>
          Export all (${numberOf(results.length)})
        </button>
      </div>`;
  }

  /** @param {import("./audited_log.js").KeptResult} result */
  #row({ kept, relation }) {
    return html`<tr>
      <td class="number">${numberOf(kept.size)}</td>
      <td>${hashOf(kept.root)}</td>
      <td>${timeOf(kept.seenAt)}</td>
      <td>${BADGES[relation.kind]} ${"reason" in relation ? relation.reason : nothing}</td>
      <td>
        <div class="row">
          <button
            aria-label="Download the checkpoint of ${kept.size} events"
            @click=${() => download(checkpointName(kept.size), kept.text)}
          >
            Download
          </button>
          <button aria-label="Remove the checkpoint of ${kept.size} events" @click=${() => this.#remove(kept)}>
            Remove
          </button>
        </div>
      </td>
    </tr>`;
  }

  /** @param {import("./audited_log.js").KeptResult["kept"]} kept */
  async #remove(kept) {
    const sure = await confirm({
      title: "Remove this checkpoint?",
      text:
        `It covers ${numberOf(kept.size)} events. Without it, this browser cannot detect a change of them that later ` +
        "checkpoints do not show. Download it first if you have no other copy.",
      action: "Remove",
    });
    if (!sure) return;
    await keptCheckpoints.remove([kept]);
    this.dispatchEvent(new CustomEvent("stored", { bubbles: true }));
  }
}

customElements.define("itl-kept-checkpoints", KeptCheckpointsCard);
