// @ts-check
/** The public keys that the auditor has pasted, in this browser: what signatures are checked against. */

import { FormatError, UnsupportedError } from "../verify/errors.js";
import { parsePublicKey } from "../verify/signed_note.js";
import { BrowserStore } from "./browser_store.js";

/** @typedef {import('../verify/signed_note.js').VerifierKey} VerifierKey */

/** The pasted keys of one service. It fires `change` when one is added or removed. */
export class PublicKeys extends EventTarget {
  /** @type {BrowserStore<import('./browser_store.js').StoredRecord & { text: string }>} */
  #store;

  /** @param {string} service the URL of the service */
  constructor(service) {
    super();
    this.#store = new BrowserStore("public_keys", service);
  }

  /** @returns {Promise<string[]>} the texts of the keys, NAME+ID+BASE64 */
  async texts() {
    return (await this.#store.all()).map(({ text }) => text).sort();
  }

  /**
   * @returns {Promise<VerifierKey[]>} the keys, ready to check signatures. None where the browser cannot read keys: without
   *   WebCrypto it cannot check a signature either
   */
  async list() {
    try {
      return await Promise.all((await this.texts()).map(parsePublicKey));
    } catch (error) {
      if (error instanceof UnsupportedError) return [];
      throw error;
    }
  }

  /**
   * Add public keys, one a line.
   * @param {string} text @returns {Promise<number>} how many. Throws FormatError and UnsupportedError, which say why.
   */
  async add(text) {
    const lines = text.split("\n").filter((line) => line.trim());
    if (lines.length === 0) throw new FormatError("There is no key in it. A public key is NAME+ID+BASE64 on one line.");
    const parsed = await Promise.all(lines.map(parseLine));
    const { service } = this.#store;
    await this.#store.put(parsed.map((key) => ({ id: `${service} ${key.text}`, service, text: key.text })));
    this.dispatchEvent(new Event("change"));
    return parsed.length;
  }

  /** @param {string} text of the key */
  async remove(text) {
    await this.#store.remove([`${this.#store.service} ${text}`]);
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {string} line @param {number} index @param {string[]} lines @returns {Promise<VerifierKey>} */
async function parseLine(line, index, lines) {
  const where = lines.length > 1 ? `Line ${index + 1}: ` : "";
  if (line.trim().startsWith("PRIVATE+KEY+")) {
    throw new FormatError(
      `${where}This is a private key: its holder can sign for the log. It was not stored. Paste the public key, ` +
        "which `itemledger log keygen` printed, and give the log a new key if this one was shown to others.",
    );
  }
  try {
    return await parsePublicKey(line);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(
      `${where}This is not a valid public key: ${error.message}. Paste the line that the operator gave you, unchanged.`,
    );
  }
}
