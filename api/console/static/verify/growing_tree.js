// @ts-check
/**
 * The Merkle tree of a log that is read event by event: its frontier alone, some tens of hashes.
 *
 * It hashes by noble-hashes and not by WebCrypto, which answers asynchronously: that takes several times as long for the
 * 200,000 short texts of a log of 100,000 events. Tests compare the two.
 */

import { sha256 } from "../vendor/sha256.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export class GrowingTree {
  /** The roots of the complete subtrees, from left to right. @type {Uint8Array<ArrayBuffer>[]} */
  #frontier = [];
  /** The number of leaves. */
  size = 0;

  /** @param {Uint8Array} leaf @returns {Uint8Array<ArrayBuffer>} */
  leafHash(leaf) {
    return sha256.create().update(LEAF).update(leaf).digest();
  }

  /** @param {Uint8Array<ArrayBuffer>} leafHash */
  append(leafHash) {
    let node = leafHash;
    // Each trailing one bit of the size is a complete subtree to the left, which the new node pairs with.
    for (let left = this.size; left % 2 === 1; left = (left - 1) / 2) {
      node = nodeHash(/** @type {Uint8Array} */ (this.#frontier.pop()), node);
    }
    this.#frontier.push(node);
    this.size += 1;
  }

  /** @returns {Uint8Array<ArrayBuffer>} the root of all leaves so far */
  root() {
    if (!this.#frontier.length) return sha256(new Uint8Array(0));
    return this.#frontier.reduceRight((right, left) => nodeHash(left, right));
  }
}

/** @param {Uint8Array} left @param {Uint8Array} right @returns {Uint8Array<ArrayBuffer>} */
function nodeHash(left, right) {
  return sha256.create().update(NODE).update(left).update(right).digest();
}
