/** Asks how long a rotated key stays active. */

import { html, render } from "../vendor/lit.js";
import { answerOf } from "../app/components.js";
import { OVERLAPS } from "./key.js";

const DAY = 24 * 3600;

/**
 * Ask for the overlap of a rotation.
 *
 * @param {import("./key.js").Key} key
 * @returns {Promise<number | null>} in seconds, null if the user cancels
 */
export function askOverlap({ id, name }) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "rotate-title");
  render(
    html`<h2 id="rotate-title">Rotate ${id}?</h2>
      <p>${name} gets a new key with the same scopes and lifetime. It is shown once.</p>
      <form method="dialog">
        <label>
          The old key stays active for
          <select name="overlap">
            ${OVERLAPS.map(([seconds, text]) => html`<option value=${seconds} ?selected=${seconds === DAY}>${text}</option>`)}
          </select>
        </label>
        <div class="actions">
          <button value="no" formnovalidate>Cancel</button>
          <button class="primary" value="yes">Rotate</button>
        </div>
      </form>`,
    dialog,
  );
  return answerOf(dialog).then((answer) => {
    const overlap = Number(/** @type {HTMLSelectElement} */ (dialog.querySelector("select")).value);
    return answer === "yes" ? overlap : null;
  });
}
