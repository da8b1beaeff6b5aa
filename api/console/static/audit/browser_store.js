// @ts-check
/** What an auditor keeps in this browser, in IndexedDB: checkpoints and public keys, all of them public. */

/** A record belongs to the service at a URL: two services of one host are two logs.
 * @typedef {{ id: string, service: string }} StoredRecord */

const DATABASE = "itemledger-audit";
const STORES = /** @type {const} */ (["checkpoints", "public_keys"]);

/**
 * The records of one kind of one service.
 * @template {StoredRecord} T
 */
export class BrowserStore {
  /** @param {(typeof STORES)[number]} name @param {string} service the URL of the service */
  constructor(name, service) {
    this.name = name;
    this.service = service;
  }

  /** @returns {Promise<T[]>} all records, in no order. Throws DOMException where the browser stores nothing. */
  async all() {
    /** @type {T[]} */
    let found = [];
    await this.#run("readonly", (store) => {
      const reading = store.index("service").getAll(this.service);
      reading.onsuccess = () => (found = reading.result);
    });
    return found;
  }

  /** Store records, each in place of the one with its id. @param {readonly T[]} records */
  async put(records) {
    await this.#run("readwrite", (store) => records.forEach((record) => store.put(record)));
  }

  /** @param {readonly string[]} ids */
  async remove(ids) {
    await this.#run("readwrite", (store) => ids.forEach((id) => store.delete(id)));
  }

  /** @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => void} work */
  async #run(mode, work) {
    const database = await open();
    try {
      const transaction = database.transaction(this.name, mode);
      work(transaction.objectStore(this.name));
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
    } finally {
      database.close();
    }
  }
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => {
      for (const name of STORES) {
        opening.result.createObjectStore(name, { keyPath: "id" }).createIndex("service", "service");
      }
    };
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}
