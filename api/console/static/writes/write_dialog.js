/** What the dialogs of writes share: send, retry with the same key, show the problem. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { session } from "../app/session.js";

/** A dialog that ends with the answer to a write, or without one. Subclasses have the content. */
export class WriteDialog extends Element {
  /** @override */
  static properties = { busy: { state: true }, problem: { state: true } };

  constructor() {
    super();
    this.busy = false;
    /** @type {import("../app/problem.js").ApiProblem | null} */
    this.problem = null;
    /** @type {import("./write.js").Write | null} the write that was sent last */
    this.write = null;
    /** @type {import("../app/api.js").Answer | null} */
    this.answer = null;
    /** Whether what the caller shows may be out of date, although nothing was written. */
    this.isStale = false;
  }

  /** Show it. Resolves when it is closed: with the answer to the write, null without one. */
  async open() {
    document.body.append(this);
    await this.updateComplete;
    const dialog = /** @type {HTMLDialogElement} */ (this.querySelector("dialog"));
    const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    const close = () => dialog.close();
    addEventListener("hashchange", close);
    session.addEventListener("change", close);
    dialog.showModal();
    await closed;
    removeEventListener("hashchange", close);
    session.removeEventListener("change", close);
    this.remove();
    return this.answer;
  }

  /** Close it without a further write. */
  close() {
    this.querySelector("dialog")?.close();
  }

  /** @override */
  render() {
    return html`<dialog aria-labelledby="dialog-title" @cancel=${this.#onCancel}>
      <form @submit=${this.#onSubmit} novalidate aria-busy=${this.busy}>
        <h2 id="dialog-title">${this.heading()}</h2>
        ${this.content()} ${problemNotice(this.problem)}
        ${
          this.write?.isOpen
            ? html`<p class="notice warn">
                It is not known whether this took place. Retry sends the same request with the same key: it takes place
                once.
              </p>`
            : nothing
        }
        <div class="actions">
          ${this.write?.isOpen ? html`<button class="primary" ?disabled=${this.busy}>Retry</button>` : this.choices()}
          <button type="button" ?disabled=${this.busy} @click=${() => this.close()}>
            ${this.write?.isOpen ? "Close" : "Cancel"}
          </button>
        </div>
      </form>
    </dialog>`;
  }

  /** @returns {unknown} */
  heading() {
    return nothing;
  }

  /** @returns {unknown} */
  content() {
    return nothing;
  }

  /** Return the buttons beside Cancel. @returns {unknown} */
  choices() {
    return nothing;
  }

  /** Return the write to send. @returns {import("./write.js").Write | null} null to close without one */
  newWrite() {
    return null;
  }

  /** @type {(problem: import("../app/problem.js").ApiProblem) => Promise<void>} what follows a refusal */
  async onRefused() {}

  /** @param {SubmitEvent} event */
  async #onSubmit(event) {
    event.preventDefault();
    if (this.busy) return;
    const write = this.write?.isOpen ? this.write : this.newWrite();
    if (write === null) return this.close();
    this.write = write;
    this.busy = true;
    try {
      this.answer = await write.send();
      this.close();
    } catch (error) {
      this.problem = /** @type {import("../app/problem.js").ApiProblem} */ (error);
      this.isStale ||= write.isOpen;
      await this.onRefused(this.problem);
    }
    this.busy = false;
    await this.updateComplete;
    const wrong = this.querySelector("[aria-invalid=true]");
    if (wrong instanceof HTMLElement) wrong.focus();
  }

  /** @param {Event} event */
  #onCancel(event) {
    if (this.busy) event.preventDefault(); // its outcome would be lost
  }
}
