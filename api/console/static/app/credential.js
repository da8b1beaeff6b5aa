/** The credential: in memory, or in `sessionStorage` if the user says so. Never in a URL or on disk. */

const STORED = "itemledger.credential";

/** @type {string | null} */
let credential = sessionStorage.getItem(STORED);

/**
 * Return the header that carries a credential: the one in use, if there is one, or another.
 *
 * @returns {Record<string, string>}
 */
export function authorization(text = credential) {
  return text === null ? {} : { authorization: `Bearer ${text}` };
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
