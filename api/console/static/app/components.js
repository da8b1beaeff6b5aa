/** Small parts that several views show. */

import { html, nothing } from "../vendor/lit.js";
import { href } from "./router.js";
import { session } from "./session.js";

/**
 * Return the links to the first and the next page. Pages before are in the browser's history: a list has no page numbers.
 *
 * @param {import("./router.js").Route} route
 * @param {string[]} cursors names of the parameters that say where a page begins
 * @param {URLSearchParams | null} next parameters of the next page, as the API returned them
 */
export function pager(route, cursors, next) {
  const first = new URLSearchParams(route.params);
  const following = new URLSearchParams(route.params);
  const onFirst = cursors.every((name) => !route.params.has(name));
  for (const name of cursors) {
    first.delete(name);
    following.delete(name);
    const value = next?.get(name);
    if (value) following.set(name, value);
  }
  return html`<nav class="pager" aria-label="Pages">
    ${onFirst ? nothing : html`<a class="button" href=${href(route.view, route.id, first)}>First page</a>`}
    ${
      next === null
        ? html`<span class="muted">Last page</span>`
        : html`<a class="button" rel="next" href=${href(route.view, route.id, following)}>Next page</a>`
    }
  </nav>`;
}

/**
 * Return a table that scrolls sideways where it is too wide, also by keyboard.
 *
 * @param {string} label
 * @param {unknown[]} headings
 * @param {unknown} rows
 */
export function table(label, headings, rows) {
  return html`<div class="scroll" role="region" aria-label=${label} tabindex="0">
    <table>
      <thead>
        <tr>
          ${headings.map((heading) => html`<th scope="col">${heading}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

/** Return the notice for a view or a part that the credential may not see. @param {string} scope */
export function lacksScope(scope) {
  return html`<p class="notice">
    Your credential lacks the scope <code>${scope}</code>. Use one that has it, or ask an operator.
  </p>`;
}

/**
 * Return `content` if the credential has a scope, the reason otherwise.
 *
 * @param {string} scope
 * @param {() => unknown} content
 */
export function withScope(scope, content) {
  return session.may(scope) ? content() : lacksScope(scope);
}

/** Return the line that says that something is loading. @param {boolean} loading */
export function busy(loading) {
  return html`<p class="busy muted" role="status">${loading ? "Loading …" : nothing}</p>`;
}

/**
 * Ask for a confirmation. Escape and Cancel answer no.
 *
 * @param {{title: string, text: string, action: string}} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, action }) {
  const dialog = document.createElement("dialog");
  const heading = Object.assign(document.createElement("h2"), { textContent: title, id: "confirm-title" });
  const paragraph = Object.assign(document.createElement("p"), { textContent: text });
  const form = Object.assign(document.createElement("form"), { method: "dialog", className: "actions" });
  const cancel = Object.assign(document.createElement("button"), { textContent: "Cancel", value: "no" });
  const go = Object.assign(document.createElement("button"), {
    textContent: action,
    value: "yes",
    className: "danger",
  });
  dialog.setAttribute("aria-labelledby", heading.id);
  form.append(cancel, go);
  dialog.append(heading, paragraph, form);
  return answerOf(dialog).then((answer) => answer === "yes");
}

/**
 * Show a dialog until the user closes it, and remove it from the page.
 *
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<string>} its `returnValue`
 */
export function answerOf(dialog) {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

/**
 * Save a text as a file of the user's.
 *
 * @param {string} name
 * @param {string | Blob} content
 */
export function download(name, content) {
  const url = URL.createObjectURL(new Blob([content]));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still be reading it
}
