// @ts-check
/** The Merkle tree's hashes (RFC 9162, section 2.1), computed by WebCrypto: for proofs, which need a few. */

import { concat } from "./bytes.js";
import { UnsupportedError } from "./errors.js";

export const HASH_SIZE_BYTES = 32;
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** @returns {SubtleCrypto} WebCrypto. Throws UnsupportedError where the browser does not offer it. */
export function subtle() {
  const found = globalThis.crypto?.subtle;
  if (!found) {
    throw new UnsupportedError(
      "This browser offers WebCrypto only to pages from HTTPS, localhost or a file. Open the page in one of these ways.",
    );
  }
  return found;
}

/** @param {Uint8Array<ArrayBuffer>} bytes @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function sha256(bytes) {
  return new Uint8Array(await subtle().digest("SHA-256", bytes));
}

/** @param {Uint8Array} leaf @returns {Promise<Uint8Array<ArrayBuffer>>} SHA-256(0x00 || leaf) */
export function leafHash(leaf) {
  return sha256(concat(LEAF, leaf));
}

/** @param {Uint8Array} left @param {Uint8Array} right @returns {Promise<Uint8Array<ArrayBuffer>>} SHA-256(0x01 || left || right) */
export function nodeHash(left, right) {
  return sha256(concat(NODE, left, right));
}

/**
 * Return the root of a tree from its frontier: the roots of its complete subtrees, from left to right.
 * @param {readonly Uint8Array[]} frontier @returns {Promise<Uint8Array>}
 */
export async function rootOf(frontier) {
  let node = frontier.at(-1);
  if (!node) return sha256(new Uint8Array(0));
  for (const left of frontier.slice(0, -1).reverse()) node = await nodeHash(left, node);
  return node;
}
