/** The credential: in memory, or in `sessionStorage` if the user says so. Never in a URL or on disk. */

const STORED = "itemledger.credential";

/** @type {string | null} */
let credential = sessionStorage.getItem(STORED);

/** @returns {Record<string, string>} the header that carries the credential, if there is one */
export function authorization() {
  return credential === null ? {} : { authorization: `Bearer ${credential}` };
}

/** @returns {boolean} whether there is a credential to send */
export function hasCredential() {
  return credential !== null;
}

/**
 * Use a credential from now on.
 *
 * @param {string} text
 * @param {boolean} kept whether it survives a reload of this tab
 */
export function setCredential(text, kept) {
  credential = text;
  sessionStorage.removeItem(STORED);
  if (kept) sessionStorage.setItem(STORED, text);
}

/** Forget the credential, in memory and in the tab. */
export function forgetCredential() {
  credential = null;
  sessionStorage.removeItem(STORED);
}
