/** What a view does with items: create, edit, delete, restore; and the news of it. */

import { html, nothing } from "../vendor/lit.js";
import { problemNotice } from "../app/problem.js";
import { href } from "../app/router.js";
import { currentItem } from "./current_item.js";
import "./confirm_dialog.js";
import "./item_dialog.js";

/** @typedef {import("./current_item.js").Shown} Shown */
/** @typedef {import("./write_dialog.js").WriteDialog} WriteDialog */

/** Opens the dialogs for its element. */
export class Editor {
  /** @type {{verb: string, item: import("../items/item_state.js").Item, deleted: Shown | null} | null} */
  #done = null;
  /** @type {unknown} */
  #problem = null;
  #host;
  #onWritten;

  /**
   * @param {import("../app/element.js").Element} host
   * @param {(position: number) => Promise<void>} onWritten reads again what the view shows
   */
  constructor(host, onWritten) {
    this.#host = host;
    this.#onWritten = onWritten;
  }

  /** Forget the news. */
  clear() {
    this.#done = null;
    this.#problem = null;
  }

  create() {
    return this.#run("Created", async () => null, "itl-item-dialog");
  }

  /** @param {number} id */
  edit(id) {
    return this.#run("Changed", () => currentItem(id), "itl-item-dialog");
  }

  /** @param {number} id */
  remove(id) {
    return this.#run("Deleted", () => currentItem(id), "itl-confirm-dialog");
  }

  /**
   * @param {() => Promise<Shown | null>} read the item as it was when it was deleted
   */
  restore(read) {
    return this.#run("Restored", read, "itl-confirm-dialog", { isRestore: true });
  }

  /** Return the news: a live region, so that it is read aloud. */
  news() {
    const done = this.#done;
    return html`${problemNotice(this.#problem)}
      <div role="status" tabindex="-1" class="news">
        ${
          done === null
            ? nothing
            : html`<p class="notice good">
                ${done.verb} <a href=${href("items", done.item.id)}>${done.item.name}</a> (id ${done.item.id}).
                ${
                  done.deleted === null
                    ? nothing
                    : html`<button @click=${() => this.restore(async () => done.deleted)}>Restore</button>`
                }
              </p>`
        }
      </div>`;
  }

  /**
   * @param {string} verb
   * @param {() => Promise<Shown | null>} read
   * @param {string} tag
   * @param {object=} members
   */
  async #run(verb, read, tag, members = {}) {
    this.clear();
    this.#host.requestUpdate();
    try {
      const seen = await read();
      const dialog = /** @type {WriteDialog & {theirs: Shown | null}} */ (document.createElement(tag));
      Object.assign(dialog, { seen, ...members });
      const answer = await dialog.open();
      if (answer === null && !dialog.isStale) return;
      const shown = dialog.theirs ?? seen;
      const item = answer?.data ?? shown?.item;
      if (answer !== null) this.#done = { verb, item, deleted: verb === "Deleted" ? shown : null };
      this.#host.requestUpdate();
      await this.#onWritten(answer?.position ?? 0);
      await this.#host.updateComplete;
      const news = this.#host.querySelector(".news");
      // The row is gone, and with it the button that had the focus.
      if (verb === "Deleted" && answer !== null && news instanceof HTMLElement) news.focus();
    } catch (error) {
      this.#problem = error;
      this.#host.requestUpdate();
    }
  }
}
