// @ts-check
/**
 * Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4), verified as the tree is defined: a proof's
 * hashes are the roots of certain spans of the leaves, and the roots of whole trees follow from them.
 */

import { equal } from "./bytes.js";
import { ProofError } from "./errors.js";
import { nodeHash, rootOf } from "./hashing.js";

/** @typedef {readonly [start: number, end: number]} Span the leaves from `start` to before `end` */

/**
 * Return the spans whose roots prove that leaf `index` is in the tree of `size` leaves, the leaf's sibling first.
 * @param {number} index @param {number} size @returns {Span[]}
 */
export function inclusionSpans(index, size) {
  return siblings([0, size], index, (start, end) => end - start === 1).slice(1);
}

/**
 * Return the spans whose roots prove that the tree of `newSize` leaves extends that of `oldSize` leaves.
 * @param {number} oldSize @param {number} newSize @returns {Span[]}
 */
function consistencySpans(oldSize, newSize) {
  if (oldSize === 0) return [];
  const spans = siblings([0, newSize], oldSize - 1, (_, end) => end === oldSize);
  return spans[0]?.[0] === 0 ? spans.slice(1) : spans; // the verifier has the root of the whole old tree
}

/**
 * Return the root that an inclusion proof leads to. The leaf is proven if this is the published root.
 * @param {number} index @param {number} size @param {Uint8Array} leafHash @param {readonly Uint8Array[]} hashes
 * @returns {Promise<Uint8Array>} Throws ProofError where the index is out of range or the number of hashes is wrong.
 */
export async function rootOfInclusion(index, size, leafHash, hashes) {
  checkSizes(index, size);
  if (index < 0 || index >= size) throw new ProofError(`a tree of ${size} leaves has no leaf ${index}`);
  const known = bySpan(inclusionSpans(index, size), hashes);
  known.set(key([index, index + 1]), leafHash);
  return rootOfSpan([0, size], known);
}

/**
 * Throw ProofError unless `hashes` prove that the tree of `newSize` leaves extends the one of `oldSize`.
 * @param {number} oldSize @param {number} newSize @param {Uint8Array} oldRoot @param {Uint8Array} newRoot
 * @param {readonly Uint8Array[]} hashes @returns {Promise<void>}
 */
export async function verifyConsistency(oldSize, newSize, oldRoot, newRoot, hashes) {
  checkSizes(oldSize, newSize);
  if (oldSize < 0 || oldSize > newSize) {
    throw new ProofError(`a tree of ${newSize} leaves cannot extend a tree of ${oldSize} leaves`);
  }
  const spans = consistencySpans(oldSize, newSize);
  const known = bySpan(spans, hashes);
  // Where no hash of the proof is of the old tree, the old tree is a subtree of the new one: use its root as a hash.
  if (!spans.some(([, end]) => end <= oldSize)) known.set(key([0, oldSize]), oldRoot);
  if (oldSize === 0) {
    if (!equal(oldRoot, await rootOf([]))) throw new ProofError("the old root is not the root of an empty tree");
    return;
  }
  if (!equal(await rootOfSpan([0, oldSize], known), oldRoot)) {
    throw new ProofError("its hashes do not match the old root");
  }
  if (!equal(await rootOfSpan([0, newSize], known), newRoot)) {
    throw new ProofError("its hashes do not match the new root");
  }
}

/** @param {...number} sizes Throws ProofError for a number that may be rounded: doubles are exact below 2^53. */
function checkSizes(...sizes) {
  const unsafe = sizes.find((size) => !Number.isSafeInteger(size));
  if (unsafe !== undefined) throw new ProofError(`${unsafe} is beyond the numbers that a browser computes exactly`);
}

/**
 * Split `span` towards `leaf` until a part is reached; return it and the parts split off, last to first.
 * @param {Span} span @param {number} leaf @param {(start: number, end: number) => boolean} reached @returns {Span[]}
 */
function siblings([start, end], leaf, reached) {
  if (reached(start, end)) return [[start, end]];
  const middle = middleOf(start, end);
  return leaf < middle
    ? [...siblings([start, middle], leaf, reached), [middle, end]]
    : [...siblings([middle, end], leaf, reached), [start, middle]];
}

/** @param {number} start @param {number} end @returns {number} where the tree splits a span: after the largest power of two below its length */
function middleOf(start, end) {
  let power = 1;
  while (2 * power < end - start) power *= 2;
  return start + power;
}

/** @param {Span} span @returns {string} */
function key([start, end]) {
  return `${start}-${end}`;
}

/** @param {readonly Span[]} spans @param {readonly Uint8Array[]} hashes @returns {Map<string, Uint8Array>} */
function bySpan(spans, hashes) {
  if (hashes.length !== spans.length) {
    throw new ProofError(`it has ${hashes.length} hashes but needs ${spans.length}`);
  }
  return new Map(hashes.map((hash, index) => [key(/** @type {Span} */ (spans[index])), hash]));
}

/** @param {Span} span @param {ReadonlyMap<string, Uint8Array>} known @returns {Promise<Uint8Array>} */
async function rootOfSpan([start, end], known) {
  const found = known.get(key([start, end]));
  if (found) return found;
  const middle = middleOf(start, end);
  return nodeHash(await rootOfSpan([start, middle], known), await rootOfSpan([middle, end], known));
}
