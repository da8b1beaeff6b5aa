/** A key that was just created, shown once. It is in no component, address or storage, and leaves the page with its dialog. */

import { html, nothing, render } from "../vendor/lit.js";
import { answerOf } from "../app/components.js";
import { session } from "../app/session.js";
import { ADMIN } from "./key.js";

/** @typedef {import("./key.js").CreatedKey} CreatedKey */

/**
 * Show a new key until the user closes the dialog.
 *
 * The dialog is beside the page's views: those are replaced when the credential is refused, which the first key of an
 * open service causes.
 *
 * @param {CreatedKey} created
 * @param {boolean} offersSignIn whether it can take the place of the user's own credential
 * @returns {Promise<boolean>} whether the user signed in with it
 */
export function showNewKey(created, offersSignIn) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "new-key-title");
  const signIn = async () => {
    try {
      await session.signIn(created.key, false);
      dialog.close("signed-in");
    } catch {
      say("The service did not accept the key. Copy it, and retry when the service answers.");
    }
  };
  const copy = async () => {
    const field = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
    field.select();
    try {
      await navigator.clipboard.writeText(created.key);
      say("Copied.");
    } catch {
      say("This browser does not let the page copy. The key is selected: copy it by keyboard.");
    }
  };
  const say = (/** @type {string} */ text) => {
    /** @type {HTMLElement} */ (dialog.querySelector("[role=status]")).textContent = text;
  };
  render(content(created, { copy, close: () => dialog.close(), signIn: offersSignIn ? signIn : null }), dialog);
  return answerOf(dialog).then((answer) => answer === "signed-in");
}

/**
 * @param {CreatedKey} created
 * @param {{copy: () => void, close: () => void, signIn: (() => void) | null}} actions
 */
function content(created, { copy, close, signIn }) {
  const { earlier_keys: earlier, name, scopes } = created;
  return html`<h2 id="new-key-title">New key of ${name}</h2>
    <p class="notice warn">Copy the key now. It is not stored, and cannot be shown again.</p>
    <label>
      Key
      <input class="mono" readonly .value=${created.key} spellcheck="false" />
    </label>
    <p role="status"></p>
    ${
      earlier.length === 0
        ? nothing
        : html`<p class="notice">
            The name was used before, by the keys ${earlier.join(", ")}. If their holder was another person, tell the
            events of the two apart by their credential.
          </p>`
    }
    ${
      signIn !== null && !scopes.includes(ADMIN)
        ? html`<p>The key lacks <code>${ADMIN}</code>: with it you cannot open this view.</p>`
        : nothing
    }
    <div class="actions">
      <button class="primary" autofocus @click=${copy}>Copy</button>
      ${signIn === null ? nothing : html`<button @click=${signIn}>Sign in with this key</button>`}
      <button @click=${close}>Close</button>
    </div>`;
}
