/** Keys as a table, with what can be done to each. */

import { html, nothing } from "../vendor/lit.js";
import { table } from "../app/components.js";
import { timeOf } from "../app/format.js";
import { session } from "../app/session.js";

/** @typedef {import("./key.js").Key} Key */

const STATES = /** @type {const} */ ({
  good: ["good", "active"],
  expired: ["warn", "expired"],
  revoked: ["bad", "revoked"],
});
const HEADINGS = ["Holder", "Id", "State", "Scopes", "Created", "Expires", "Last used", "Actions"];

/**
 * Return the table of keys.
 *
 * @param {Key[]} keys
 * @param {{rotate: (key: Key) => void, revoke: (key: Key) => void}} actions
 */
export function keyTable(keys, actions) {
  return table(
    "API keys",
    HEADINGS,
    keys.map((key) => row(key, actions)),
  );
}

/** Return whether a key is the credential in use. @param {Key} key */
export function isOwn({ id }) {
  return session.me?.credential === `key:${id}`;
}

/**
 * @param {Key} key
 * @param {{rotate: (key: Key) => void, revoke: (key: Key) => void}} actions
 */
function row(key, { rotate, revoke }) {
  const [tone, word] = STATES[key.state];
  const original = key.original_id === key.id ? nothing : html`<br />rotated from ${key.original_id}`;
  const isActive = key.state === "good";
  return html`<tr data-key=${key.id}>
    <th scope="row">${key.name} ${isOwn(key) ? html`<span class="badge">yours</span>` : nothing}</th>
    <td><code>${key.id}</code>${original}</td>
    <td>
      <span class="badge ${tone}">${word}</span>
      ${key.replaced_by === null ? nothing : html`<br />replaced by <code>${key.replaced_by}</code>`}
      ${key.revoked_at === null ? nothing : html`<br />${timeOf(key.revoked_at)} by ${key.revoked_by} ${credential(key.revoked_by_credential)}`}
    </td>
    <td>${key.scopes.map((scope) => html`<code>${scope}</code> `)}</td>
    <td>${timeOf(key.created_at)} by ${key.created_by} ${credential(key.created_by_credential)}</td>
    <td>${key.expires_at === null ? "no expiry" : timeOf(key.expires_at)}</td>
    <td>${timeOf(key.last_used_at)}</td>
    <td>
      <div class="row">
        ${
          isActive && key.replaced_by === null
            ? html`<button aria-label="Rotate ${key.id} of ${key.name}" @click=${() => rotate(key)}>Rotate</button>`
            : nothing
        }
        ${
          key.state === "revoked"
            ? nothing
            : html`<button class="danger" aria-label="Revoke ${key.id} of ${key.name}" @click=${() => revoke(key)}>
                Revoke
              </button>`
        }
      </div>
    </td>
  </tr>`;
}

/** @param {string | null} by */
function credential(by) {
  return by === null ? nothing : html`<span class="muted">(${by})</span>`;
}
