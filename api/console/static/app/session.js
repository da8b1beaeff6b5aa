/** The session: what `GET /me` says of the credential, and the changes of that. */

import { credentialEvents, get } from "./api.js";
import { authorization, forgetCredential, hasCredential, setCredential } from "./credential.js";
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
      forgetCredential();
      this.#become(null, /** @type {CustomEvent<ApiProblem>} */ (event).detail);
    });
  }

  /** Ask the service whose credential this is. */
  async load() {
    try {
      this.#become((await get("me")).data, null);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (error.status !== 401) this.#become(null, error); // a 401 was announced as refused
    }
  }

  /**
   * Use a credential from now on. Until the service has accepted it, it is kept nowhere.
   *
   * @param {string} credential
   * @param {boolean} kept whether it survives a reload of the tab
   * @throws {ApiProblem} if the service does not accept it
   */
  async signIn(credential, kept) {
    const { data } = await get("me", { headers: authorization(credential) });
    setCredential(credential, kept);
    this.#become(data, null);
  }

  /** Ask whether the credential is still accepted. If it is not, that is announced as a change. */
  async check() {
    await get("me").catch(() => {});
  }

  /** Forget the credential, and what it showed. */
  async signOut() {
    forgetCredential();
    this.#become(null, null);
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
