// @ts-check
/** Signed notes (c2sp.org/signed-note): a text, and Ed25519 signatures that WebCrypto verifies. */

import { concat, equal, fromBase64, toBase64, toHex, toUtf8 } from "./bytes.js";
import { FormatError, UnsupportedError } from "./errors.js";
import { sha256, subtle } from "./hashing.js";

/**
 * A log's public key. `text` is NAME+ID+BASE64, as the operator gives it out.
 * @typedef {{ name: string, id: Uint8Array, publicKey: Uint8Array<ArrayBuffer>, text: string }} VerifierKey
 * @typedef {{ name: string, keyId: Uint8Array, signature: Uint8Array<ArrayBuffer> }} NoteSignature
 * @typedef {{ text: string, signatures: NoteSignature[] }} Note
 */

/**
 * Whether a note is signed. Only `verified` says that it is: `keys` are the texts of the keys that signed it.
 * `no-key`: no public key was given. `unsupported`: the browser has no WebCrypto or no Ed25519. `invalid`: no given key
 * signed it, or a signature is wrong.
 * @typedef {{ state: 'verified', keys: string[] }
 *   | { state: 'no-key' | 'unsupported' | 'invalid', reason: string }} SignatureCheck
 */

const ED25519 = 1;
const KEY_ID_SIZE_BYTES = 4;
const MAX_SIGNATURES = 100;
// The white space of Unicode: JavaScript's \s lacks U+0085, and has U+FEFF, which is not white space.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const NAME = new RegExp(`^[^+\\x00-\\x1f${SPACE}]+$`);
const SIGNATURE_LINE = new RegExp(`^— ([^${SPACE}]+) ([^${SPACE}]+)$`);
// eslint-disable-next-line no-control-regex -- a note must not contain them
const CONTROL = /[\x00-\x09\x0b-\x1f]/;

/** @param {string} written @returns {Note} a note, signed or not. Throws FormatError. */
export function parseNote(written) {
  if (!written.endsWith("\n") || CONTROL.test(written)) {
    throw new FormatError("it does not end with a newline, or has control characters");
  }
  const end = written.lastIndexOf("\n\n");
  if (end < 0) return { text: written, signatures: [] };
  const lines = written
    .slice(end + 2)
    .split("\n")
    .slice(0, -1);
  if (lines.length > MAX_SIGNATURES) throw new FormatError(`it has more than ${MAX_SIGNATURES} signatures`);
  return { text: written.slice(0, end + 1), signatures: lines.map(parseSignature) };
}

/** @param {string} line @returns {NoteSignature} */
function parseSignature(line) {
  const [, name, base64] = SIGNATURE_LINE.exec(line) ?? [];
  if (name === undefined || base64 === undefined) throw new FormatError("a line below the text is not a signature");
  const content = fromBase64(base64);
  if (!content) throw new FormatError("invalid base64");
  if (content.length <= KEY_ID_SIZE_BYTES) throw new FormatError("a signature is too short");
  checkName(name);
  return { name, keyId: content.slice(0, KEY_ID_SIZE_BYTES), signature: content.slice(KEY_ID_SIZE_BYTES) };
}

/** @param {string} name */
function checkName(name) {
  if (!NAME.test(name)) throw new FormatError("a name must not be empty or contain white space or +");
}

/**
 * Read a public key, NAME+ID+BASE64. White space around it is ignored.
 * @param {string} text @returns {Promise<VerifierKey>} Throws FormatError, and UnsupportedError without WebCrypto.
 */
export async function parsePublicKey(text) {
  const trimmed = text.trim();
  const [, name, id, base64] = /^([^+]*)\+([^+]*)\+(.*)$/s.exec(trimmed) ?? [];
  const content = base64 === undefined ? null : fromBase64(base64);
  if (name === undefined || !content) throw new FormatError("a public key must be NAME+ID+BASE64");
  if (content[0] !== ED25519 || content.length !== 33) throw new FormatError("the public key is not an Ed25519 key");
  checkName(name);
  const keyId = (await sha256(concat(toUtf8(`${name}\n`), content))).slice(0, KEY_ID_SIZE_BYTES);
  if (toHex(keyId) !== id) throw new FormatError("the public key does not match its id");
  return { name, id: keyId, publicKey: content.slice(1), text: `${name}+${id}+${toBase64(content)}` };
}

/** @param {string} text public keys, one a line; empty lines are ignored @returns {Promise<VerifierKey[]>} */
export function parsePublicKeys(text) {
  return Promise.all(
    text
      .split("\n")
      .filter((line) => line.trim())
      .map(parsePublicKey),
  );
}

/**
 * Check which of `keys` signed a note. Signatures of other keys are ignored; one wrong signature of a given key is one
 * too many.
 * @param {Note} note @param {readonly VerifierKey[]} keys @returns {Promise<SignatureCheck>}
 */
export async function checkSignatures(note, keys) {
  if (!keys.length) return { state: "no-key", reason: "no public key was given" };
  /** @type {string[]} */
  const signed = [];
  for (const { name, keyId, signature } of note.signatures) {
    const known = keys.find((one) => one.name === name && equal(one.id, keyId));
    if (!known) continue;
    try {
      if (!(await verifies(known, note.text, signature))) {
        return { state: "invalid", reason: `the signature of ${name} does not match the text` };
      }
    } catch (error) {
      if (error instanceof UnsupportedError) return { state: "unsupported", reason: error.message };
      throw error;
    }
    signed.push(known.text);
  }
  if (signed.length) return { state: "verified", keys: signed };
  return { state: "invalid", reason: `it is not signed by ${keys.map((one) => one.name).join(" or ")}` };
}

/**
 * @param {VerifierKey} key @param {string} text @param {Uint8Array<ArrayBuffer>} signature @returns {Promise<boolean>}
 * Throws UnsupportedError.
 */
async function verifies(key, text, signature) {
  try {
    const imported = await subtle().importKey("raw", key.publicKey, { name: "Ed25519" }, false, ["verify"]);
    return await subtle().verify({ name: "Ed25519" }, imported, signature, toUtf8(text));
  } catch (error) {
    if (error instanceof UnsupportedError) throw error;
    if (error instanceof Error && error.name === "NotSupportedError") {
      throw new UnsupportedError("This browser does not support Ed25519 signatures. Use a newer browser.");
    }
    return false; // the bytes are not a point of the curve
  }
}
