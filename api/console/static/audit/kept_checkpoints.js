// @ts-check
/** The checkpoints of one log that this browser has seen, in IndexedDB. */

import { toHex } from "../verify/bytes.js";
import { parseCheckpoint } from "../verify/checkpoint.js";
import { parseNote } from "../verify/signed_note.js";
import { BrowserStore } from "./browser_store.js";

/**
 * A checkpoint that was seen. `seenAt` is when it was seen first, RFC 3339; `root` is in hexadecimal. All that are
 * `chained` are proven to be of one history: each larger one begins with each smaller one.
 * @typedef {{ id: string, service: string, origin: string, size: number, root: string, text: string, seenAt: string,
 *   chained: boolean }} KeptCheckpoint
 */

/** The kept checkpoints of the log that the service at a URL serves. */
export class KeptCheckpoints {
  /** @type {BrowserStore<KeptCheckpoint>} */
  #store;

  /** @param {string} service the URL of the service: two services of one host are two logs */
  constructor(service) {
    this.#store = new BrowserStore("checkpoints", service);
  }

  /**
   * Keep checkpoints. One that was kept before stays as it is: what its text proves must not be replaced. Only a text
   * that nobody signed is, by a signed one.
   * @param {readonly string[]} texts @param {string} [seenAt] RFC 3339
   * @returns {Promise<number>} how many are new. Throws FormatError, and DOMException where the browser stores nothing.
   */
  async keep(texts, seenAt = new Date().toISOString()) {
    const kept = new Map((await this.#store.all()).map((one) => [one.id, one]));
    const before = kept.size;
    const added = texts.map((text) => this.#record(text, seenAt));
    for (const one of added) {
      const known = kept.get(one.id);
      if (!known || (isUnsigned(known.text) && !isUnsigned(one.text))) {
        kept.set(one.id, { ...one, ...(known && { seenAt: known.seenAt, chained: known.chained }) });
      }
    }
    await this.#store.put(added.map(({ id }) => /** @type {KeptCheckpoint} */ (kept.get(id))));
    return kept.size - before;
  }

  /** @returns {Promise<KeptCheckpoint[]>} all of this service, the oldest log first */
  async list() {
    const found = await this.#store.all();
    return found.sort((left, right) => left.size - right.size || left.seenAt.localeCompare(right.seenAt));
  }

  /** Record that checkpoints are of one history with those that are chained already. @param {readonly KeptCheckpoint[]} proven */
  async chain(proven) {
    await this.#store.put(proven.map((one) => ({ ...one, chained: true })));
  }

  /** @param {readonly KeptCheckpoint[]} kept */
  async remove(kept) {
    await this.#store.remove(kept.map(({ id }) => id));
  }

  /** @param {string} text @param {string} seenAt @returns {KeptCheckpoint} */
  #record(text, seenAt) {
    const { origin, size, root } = parseCheckpoint(text);
    const { service } = this.#store;
    const hash = toHex(root);
    // The head that a note commits to is the same when it is signed again, by a new key.
    return {
      id: `${service} ${origin} ${size} ${hash}`,
      service,
      origin,
      size,
      root: hash,
      text,
      seenAt,
      chained: false,
    };
  }
}

/** @param {string} text */
function isUnsigned(text) {
  return parseNote(text).signatures.length === 0;
}
