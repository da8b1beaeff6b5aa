/** Whether a checkpoint is signed, in words that keep apart what must not be mistaken for each other. */

import { html } from "../vendor/lit.js";
import { equal, toHex } from "../verify/bytes.js";
import { checkSignatures, parseNote } from "../verify/signed_note.js";

/**
 * @typedef {import("../verify/signed_note.js").VerifierKey} VerifierKey
 *
 * Only `verified` says that the checkpoint is signed. `names` are those of the keys that signed it, or claim to have.
 * @typedef {{ state: "verified" | "unsigned" | "unknown-key" | "wrong" | "unsupported", names: string[], reason: string }} SignatureState
 */

/**
 * Check the signatures of a checkpoint against the pasted keys that have the name of its log.
 *
 * @param {string} text a parsed checkpoint's
 * @param {readonly VerifierKey[]} keys
 * @returns {Promise<SignatureState>}
 */
export async function signatureOf(text, keys) {
  const note = parseNote(text);
  const origin = note.text.split("\n", 1)[0];
  const names = note.signatures.map(({ name, keyId }) => `${name}+${toHex(keyId)}`);
  if (names.length === 0) return { state: "unsigned", names, reason: "" };
  if (!globalThis.crypto?.subtle) return { state: "unsupported", names, reason: NO_WEBCRYPTO };
  const known = keys.filter(
    (key) =>
      key.name === origin && note.signatures.some(({ name, keyId }) => name === key.name && equal(keyId, key.id)),
  );
  if (known.length === 0) return { state: "unknown-key", names, reason: "" };
  const check = await checkSignatures(note, known);
  if (check.state === "verified") {
    return { state: "verified", names: check.keys.map((key) => key.slice(0, key.lastIndexOf("+"))), reason: "" };
  }
  const state = check.state === "unsupported" ? "unsupported" : "wrong";
  return { state, names: known.map((key) => `${key.name}+${toHex(key.id)}`), reason: check.reason };
}

const NO_WEBCRYPTO =
  "Browsers offer WebCrypto only to pages that were loaded over HTTPS, from localhost, or from a file.";

/**
 * How bad a state is. Without a pasted key, an unknown signer is only unknown.
 * @type {Record<SignatureState["state"], "good" | "warn" | "bad">}
 */
const LEVELS = { verified: "good", unsigned: "warn", "unknown-key": "warn", wrong: "bad", unsupported: "warn" };
const WORDS = {
  verified: "Signature verified",
  unsigned: "Not signed",
  "unknown-key": "Signature not verified",
  wrong: "WRONG signature",
  unsupported: "Signature cannot be checked here",
};

/** @param {SignatureState} signature */
export function signatureLevel({ state }) {
  return LEVELS[state];
}

/** Return the state as a badge. @param {SignatureState} signature */
export function signatureBadge({ state }) {
  return html`<span class="badge ${LEVELS[state]}">${WORDS[state]}</span>`;
}

/** Return what a state means, and what to do. @param {SignatureState} signature */
export function signatureWords({ state, names, reason }) {
  const signers = html`<code>${names.join(" and ")}</code>`;
  switch (state) {
    case "verified":
      return html`Signed by ${signers}, a key that you have pasted. This browser checked the signature (Ed25519).`;
    case "unsigned":
      return html`The service has no signing key. The checkpoint proves something to you, who fetched it, and nothing to
      others.`;
    case "unknown-key":
      return html`It says that it is signed by ${signers}, a key that you have not pasted. Anyone can write that. Paste
      the public key that the operator gave you by another channel.`;
    case "wrong":
      return html`The signature of ${signers} does not match the text. The text was changed after it was signed, or
      never signed by this key. Keep it, and ask the operator.`;
    case "unsupported":
      return html`Nothing is known about the signature of ${signers}. ${reason} Serve the console over HTTPS or open it
        on localhost, use a newer browser, or check with the offline verifier or
        <code>itemledger verify consistency --public-key</code>.`;
  }
}
