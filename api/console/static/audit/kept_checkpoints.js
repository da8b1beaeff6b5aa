// @ts-check
/** The checkpoints of one log that this browser has seen, in IndexedDB, and whether the log still begins with each. */

import { equal } from "../verify/bytes.js";
import { parseCheckpoint } from "../verify/checkpoint.js";
import { FormatError } from "../verify/errors.js";
import { checkConsistency, parseConsistencyProof } from "../verify/proof_files.js";

/**
 * A checkpoint that was seen. `seenAt` is when it was seen first, RFC 3339.
 * @typedef {{ service: string, origin: string, size: number, text: string, seenAt: string }} KeptCheckpoint
 */

/**
 * How the newest checkpoint relates to a kept one. After a `contradiction` keep both texts: signed by one key they
 * convict the operator. `not-checkable` says nothing about the log.
 * @typedef {{ kept: KeptCheckpoint } & (
 *   | { kind: 'consistent' }
 *   | { kind: 'contradiction', reason: string, keptText: string, newestText: string }
 *   | { kind: 'not-checkable', reason: string })} KeptResult
 */

/** The proof of consistency that the service answers with, or why there is none.
 * @typedef {{ ok: true, text: string } | { ok: false, changed: boolean, reason: string }} FetchedProof */

const DATABASE = "itemledger-checkpoints";
const STORE = "checkpoints";

/** The kept checkpoints of the log that the service at a URL serves. */
export class KeptCheckpoints {
  /** @param {string} service the URL of the service: two services of one host are two logs */
  constructor(service) {
    this.service = service;
  }

  /**
   * Keep a checkpoint. One that was kept before stays as it is.
   * @param {string} text @returns {Promise<void>} Throws FormatError, and DOMException where the browser stores nothing.
   */
  async keep(text) {
    const { origin, size } = parseCheckpoint(text);
    const kept = await this.list();
    // A note is signed again by a new key; the head that it commits to is the same.
    if (kept.some((one) => sameHead(one.text, text))) return;
    const seenAt = new Date().toISOString();
    await this.#run("readwrite", (store) => store.add({ service: this.service, origin, size, text, seenAt }));
  }

  /** @returns {Promise<KeptCheckpoint[]>} all of this service, the oldest log first */
  async list() {
    /** @type {KeptCheckpoint[]} */
    const found = await this.#run("readonly", (store) => store.index("service").getAll(this.service));
    return found.sort((left, right) => left.size - right.size || left.seenAt.localeCompare(right.seenAt));
  }

  /** Forget all checkpoints of this service. @returns {Promise<void>} */
  async forget() {
    const keys = await this.#run("readonly", (store) => store.index("service").getAllKeys(this.service));
    for (const key of keys) await this.#run("readwrite", (store) => store.delete(key));
  }

  /**
   * @template T
   * @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest<T>} work @returns {Promise<T>}
   */
  async #run(mode, work) {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore(STORE, { autoIncrement: true }).createIndex("service", "service");
    };
    const database = await settled(opening);
    try {
      const transaction = database.transaction(STORE, mode);
      const result = await settled(work(transaction.objectStore(STORE)));
      if (mode === "readwrite") await completed(transaction);
      return result;
    } finally {
      database.close();
    }
  }
}

/**
 * Prove that the log of the newest checkpoint begins with the log of each kept one.
 * @param {string} newestText @param {readonly KeptCheckpoint[]} kept
 * @param {(from: number, to: number) => Promise<FetchedProof>} fetchProof reads `GET /log/consistency?from=&to=`;
 *   `changed` is true where the service itself says that the log was changed (`log-changed`)
 * @returns {Promise<KeptResult[]>} in the order of `kept`. Throws FormatError if the newest is not a checkpoint.
 */
export async function proveKept(newestText, kept, fetchProof) {
  const results = [];
  for (const one of kept) results.push({ kept: one, ...(await proveOne(newestText, one.text, fetchProof)) });
  return /** @type {KeptResult[]} */ (results);
}

/** @param {string} newestText @param {string} keptText @param {(from: number, to: number) => Promise<FetchedProof>} fetchProof */
async function proveOne(newestText, keptText, fetchProof) {
  const newest = parseCheckpoint(newestText);
  const kept = parseCheckpoint(keptText);
  // A log gets another name with another key: it must begin with the kept one all the same.
  const renamed =
    kept.origin === newest.origin ? "" : ` (it was named ${kept.origin}, and is now named ${newest.origin})`;
  /** @param {string} reason */
  const contradiction = (reason) => ({ kind: "contradiction", reason: reason + renamed, keptText, newestText });
  if (kept.size > newest.size) {
    return contradiction(`the log had ${kept.size} events, and now has ${newest.size}`);
  }
  if (kept.size === newest.size) {
    return equal(kept.root, newest.root)
      ? { kind: "consistent" }
      : contradiction(`two checkpoints of ${kept.size} events have different roots`);
  }
  const fetched = await fetchProof(kept.size, newest.size);
  if (!fetched.ok) {
    return fetched.changed ? contradiction(fetched.reason) : { kind: "not-checkable", reason: fetched.reason };
  }
  try {
    const checked = await checkConsistency(
      parseConsistencyProof(fetched.text),
      { ...kept, origin: newest.origin },
      newest,
    );
    if (checked.kind === "contradiction") return contradiction(checked.reason);
    return checked.kind === "consistent" ? checked : { kind: "not-checkable", reason: checked.reason };
  } catch (error) {
    if (error instanceof FormatError)
      return { kind: "not-checkable", reason: `the proof of the service: ${error.message}` };
    throw error;
  }
}

/** @param {string} left @param {string} right @returns {boolean} whether two checkpoints commit to the same */
function sameHead(left, right) {
  const [one, other] = [parseCheckpoint(left), parseCheckpoint(right)];
  return one.origin === other.origin && one.size === other.size && equal(one.root, other.root);
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function completed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
