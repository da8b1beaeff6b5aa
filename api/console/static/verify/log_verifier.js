// @ts-check
/**
 * Verifies a log event by event, from the first on, as `itemledger verify log` does.
 *
 * Memory is bounded by four bytes an event: the version that each item has reached, by the position at which the item
 * was created. A million events need 4 MB. Nothing else is kept but the tree's frontier.
 */

import { equal, toHex, toUtf8 } from "./bytes.js";
import { FormatError, TamperedError } from "./errors.js";
import { checkData } from "./event_data.js";
import { GrowingTree } from "./growing_tree.js";

/**
 * The root of the tree over a log's first `size` events.
 * @typedef {{ size: number, root: Uint8Array }} TreeHead
 */

const CHUNK_EVENTS = 65_536;

export class LogVerifier {
  #tree = new GrowingTree();
  #versions = new ItemVersions();
  #recordedAt = "1970-01-01T00:00:00.000000Z";
  /** The size of the last known head that matched. */
  #verified = 0;
  /** The known heads that are still ahead, the next one last. @type {TreeHead[]} */
  #heads;
  /** The number of events by type whose data is of an unknown type: only its JSON was checked. @type {Record<string, number>} */
  unknownTypes = {};

  /** @param {readonly TreeHead[]} knownHeads heads that the log must have had. Throws TamperedError. */
  constructor(knownHeads = []) {
    this.#heads = [...knownHeads].sort((left, right) => right.size - left.size);
    this.#reachHeads();
  }

  /** @returns {number} the number of events so far */
  get size() {
    return this.#tree.size;
  }

  /** @returns {Uint8Array<ArrayBuffer>} the root of the tree of all events so far */
  root() {
    return this.#tree.root();
  }

  /** Add the next event. @param {import('./leaf.js').EventLine} event Throws TamperedError. */
  add(event) {
    const position = this.size + 1;
    if (event.position !== String(position)) {
      throw new TamperedError(position, `expected position ${position}, found ${event.position}`);
    }
    const hash = this.#tree.leafHash(toUtf8(event.leaf));
    if (toHex(hash) !== event.leafHash) {
      throw new TamperedError(position, "its content does not match its stored hash");
    }
    // RFC 3339 in UTC with as many digits: the order of the texts is the order of the times.
    if (event.recordedAt < this.#recordedAt) {
      throw new TamperedError(position, "its time is before the previous event's time");
    }
    this.#recordedAt = event.recordedAt;
    this.#versions.follow(position, event.itemId, event.version);
    this.#checkData(position, event.type, event.data);
    this.#tree.append(hash);
    this.#reachHeads();
  }

  /** Check that the log does not end before a known head. Throws TamperedError. */
  finish() {
    const longest = this.#heads[0];
    if (longest) {
      throw new TamperedError(this.size + 1, `it is missing: a checkpoint covers ${longest.size} events`);
    }
  }

  /** @param {number} position @param {string} type @param {string} data */
  #checkData(position, type, data) {
    try {
      if (!checkData(type, data)) this.unknownTypes[type] = (this.unknownTypes[type] ?? 0) + 1;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new TamperedError(position, `its data is not that of an event of type ${type}: ${error.message}`);
    }
  }

  #reachHeads() {
    const verified = this.#verified; // not what another head of this same size says
    for (let head = this.#heads.at(-1); head?.size === this.size; head = this.#heads.at(-1)) {
      this.#heads.pop();
      if (!equal(head.root, this.root())) {
        const first = Math.min(verified + 1, this.size);
        throw new TamperedError(
          first,
          `the tree root at ${this.size} events does not match the checkpoint: ` +
            `an event between ${first} and ${this.size} was changed`,
        );
      }
      this.#verified = this.size;
    }
  }
}

/** By position: the version of the item created there, 0 where none was. An item's id is the position of its creation. */
class ItemVersions {
  /** @type {Uint32Array[]} */
  #chunks = [];

  /**
   * Check that `version` is the item's next. Throws TamperedError.
   * @param {number} position @param {string} itemId @param {string} version
   */
  follow(position, itemId, version) {
    const item = Number(itemId); // a number that is rounded is beyond every position
    const reached = item > 0 && item < position ? this.#read(item) : 0;
    if (item !== position && !reached) {
      throw new TamperedError(
        position,
        `it belongs to item ${itemId}, but the log has no creation event for that item`,
      );
    }
    if (version !== String(reached + 1)) {
      throw new TamperedError(position, `expected version ${reached + 1} of item ${itemId}, found ${version}`);
    }
    this.#write(item, reached + 1);
  }

  /** @param {number} item @returns {number} */
  #read(item) {
    return this.#chunks[Math.floor(item / CHUNK_EVENTS)]?.[item % CHUNK_EVENTS] ?? 0;
  }

  /** @param {number} item @param {number} version */
  #write(item, version) {
    const index = Math.floor(item / CHUNK_EVENTS);
    const chunk = (this.#chunks[index] ??= new Uint32Array(CHUNK_EVENTS));
    chunk[item % CHUNK_EVENTS] = version;
  }
}
