/** The public keys that the auditor trusts: those pasted on Integrity. */

import { BASE } from "../app/api.js";
import { PublicKeys } from "../audit/public_keys.js";

/** @returns {Promise<import("../verify/signed_note.js").VerifierKey[]>} */
export function trustedKeys() {
  return new PublicKeys(BASE.href).list();
}
