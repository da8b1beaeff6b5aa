/** The path of a proof, from the leaf to the root, and what differs between two leaves. */

import { leafHash, nodeHash } from "../verify/hashing.js";
import { columnsOfLeaf, toHex } from "../verify/index.js";
import { inclusionSpans } from "../verify/proofs.js";

/**
 * A step from the leaf towards the root: the hash so far, with that of the events beside it.
 *
 * @typedef {object} Step
 * @property {number} first position of the first event beside
 * @property {number} last position of the last one
 * @property {boolean} isLeft whether they come before
 * @property {string} sibling their hash
 * @property {string} reached the hash of both
 */

/** @typedef {{ name: string, shown: string, proven: string }} Difference a member, as shown and as in the proof */

/**
 * Return the way from the leaf to the root, nothing if the proof has not as many hashes as the tree needs.
 *
 * @param {import("../verify/proof_files.js").InclusionProof} proof
 * @param {string} leaf
 * @param {number} size
 */
export async function pathOf({ index, hashes }, leaf, size) {
  let reached = await leafHash(new TextEncoder().encode(leaf));
  const hash = toHex(reached);
  /** @type {Step[]} */
  const steps = [];
  const spans = index < size ? inclusionSpans(index, size) : [];
  if (spans.length !== hashes.length) return { hash, steps };
  for (const [number, [start, end]] of spans.entries()) {
    const sibling = /** @type {Uint8Array} */ (hashes[number]);
    const isLeft = start < index;
    reached = isLeft ? await nodeHash(sibling, reached) : await nodeHash(reached, sibling);
    steps.push({ first: start + 1, last: end, isLeft, sibling: toHex(sibling), reached: toHex(reached) });
  }
  return { hash, steps };
}

/**
 * Return the members in which two leaves differ.
 *
 * @param {string} shown leaf of the event
 * @param {string} proven leaf of the proof
 * @returns {Difference[]}
 */
export function differencesOf(shown, proven) {
  const other = Object.entries(columnsOfLeaf(proven));
  const own = /** @type {Record<string, unknown>} */ (columnsOfLeaf(shown));
  return other
    .filter(([name, value]) => own[name] !== value)
    .map(([name, value]) => ({ name, shown: String(own[name]), proven: String(value) }));
}
