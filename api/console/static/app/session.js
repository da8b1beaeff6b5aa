/** The session: what `GET /me` says of the credential, and the changes of that. */

import { credentialEvents, get } from "./api.js";
import { forgetCredential, hasCredential, setCredential } from "./credential.js";
import { ApiProblem } from "./problem.js";

/**
 * @typedef {object} Me
 * @property {string} actor
 * @property {string | null} credential
 * @property {string[]} scopes
 * @property {string | null} expires_at
 * @property {boolean} credential_required
 */

class Session extends EventTarget {
  /** @type {Me | null} the holder of the credential; null before the first answer, and if one is needed */
  me = null;
  /** @type {ApiProblem | null} why there is no `me`; a 401 asks for a credential */
  problem = null;

  constructor() {
    super();
    credentialEvents.addEventListener("refused", (event) => {
      this.#become(null, /** @type {CustomEvent<ApiProblem>} */ (event).detail);
    });
  }

  /** Ask the service whose credential this is. */
  async load() {
    try {
      this.#become((await get("me")).data, null);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      this.#become(null, error);
    }
  }

  /**
   * Use a credential, if the service accepts it.
   *
   * @param {string} credential
   * @param {boolean} kept whether it survives a reload of the tab
   */
  async signIn(credential, kept) {
    setCredential(credential, kept);
    await this.load();
    if (this.me === null) forgetCredential();
  }

  /** Forget the credential. */
  async signOut() {
    forgetCredential();
    await this.load();
  }

  /** @returns {boolean} whether there is a credential to forget */
  get signedIn() {
    return hasCredential();
  }

  /**
   * Return whether the credential has a scope.
   *
   * @param {string} scope
   */
  may(scope) {
    return this.me?.scopes.includes(scope) ?? false;
  }

  /**
   * @param {Me | null} me
   * @param {ApiProblem | null} problem
   */
  #become(me, problem) {
    this.me = me;
    this.problem = problem;
    this.dispatchEvent(new Event("change"));
  }
}

export const session = new Session();
