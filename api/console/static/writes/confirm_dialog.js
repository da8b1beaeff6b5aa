/** The dialogs that delete and restore an item, after a question. */

import { html, nothing } from "../vendor/lit.js";
import { ApiProblem } from "../app/problem.js";
import { changeOf, textOf } from "../items/cells.js";
import { FIELDS } from "../items/item_state.js";
import { currentItemOrProblem } from "./current_item.js";
import { Write } from "./write.js";
import { WriteDialog } from "./write_dialog.js";

/** @typedef {import("../items/item_state.js").Field} Field */
/** @typedef {import("./current_item.js").Shown} Shown */

/** Shows the item that the write concerns. */
class ConfirmDialog extends WriteDialog {
  constructor() {
    super();
    /** @type {Shown | null} */
    this.seen = null;
    /** @type {Shown | null} the item as another client changed it meanwhile */
    this.theirs = null;
    this.isRestore = false;
    this.isSettled = false;
  }

  /** @override */
  heading() {
    return html`${this.isRestore ? "Restore" : "Delete"} ${this.seen?.item.name}?`;
  }

  /** @override */
  content() {
    const { seen, theirs } = this;
    if (seen === null || this.isSettled) return nothing;
    const fields = /** @type {[Field, string][]} */ (Object.entries(FIELDS));
    return html`<p>
        ${
          this.isRestore
            ? "The item gets its last state and its id back."
            : "Clients no longer see the item. Its history stays, and it can be restored."
        }
      </p>
      ${theirs === null ? nothing : html`<p class="notice warn">Another client changed it after you opened it.</p>`}
      <dl class="facts">
        <dt>Id</dt>
        <dd>${seen.item.id}</dd>
        ${fields.map(
          ([field, label]) =>
            html`<dt>${label}</dt>
              <dd>
                ${
                  theirs !== null && theirs.item[field] !== seen.item[field]
                    ? changeOf(field, seen.item[field], theirs.item[field])
                    : textOf(field, seen.item[field])
                }
              </dd>`,
        )}
      </dl>`;
  }

  /** @override */
  choices() {
    if (this.isSettled) return nothing;
    const verb = this.isRestore ? "Restore" : this.theirs === null ? "Delete" : "Delete it as it is now";
    return html`<button class=${this.isRestore ? "primary" : "danger"} ?disabled=${this.busy}>${verb}</button>`;
  }

  /** @override */
  newWrite() {
    const { item, etag } = /** @type {Shown} */ (this.theirs ?? this.seen);
    return this.isRestore
      ? new Write("POST", `items/${item.id}/restore`, { etag })
      : new Write("DELETE", `items/${item.id}`, { etag });
  }

  /**
   * @override
   * @param {ApiProblem} problem
   */
  async onRefused(problem) {
    if (this.write?.isOpen || ![404, 409, 412].includes(problem.status)) return;
    this.isStale = true;
    if (this.isRestore || problem.status !== 412) {
      this.isSettled = true; // what was asked for is so already, or was and is no more
      return;
    }
    const theirs = await currentItemOrProblem(/** @type {Shown} */ (this.seen).item.id);
    this.isSettled = theirs === null;
    if (theirs instanceof ApiProblem) this.problem = theirs;
    else if (theirs !== null) [this.problem, this.theirs] = [null, theirs];
  }
}

customElements.define("itl-confirm-dialog", ConfirmDialog);
