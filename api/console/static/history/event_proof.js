/** Verifies, in this browser, that the event that is shown is in the log, and says in words what that proves. */

import { ApiProblem } from "../app/problem.js";
import { checkInclusion, FormatError, parseInclusionProof, UnsupportedError } from "../verify/index.js";
import { readProof } from "./event_page.js";
import { differencesOf, pathOf } from "./proof_path.js";

/**
 * @typedef {object} Verdict
 * @property {"good" | "warn" | "bad"} look
 * @property {string} title
 * @property {string[]} reasons
 * @property {import("./proof_path.js").Difference[]} differences
 * @property {string | null} proof the text of the proof, null if the service gave none
 * @property {import("../verify/checkpoint.js").Checkpoint | null} checkpoint
 * @property {string | null} hash of the leaf
 * @property {import("./proof_path.js").Step[]} steps
 */

/** @type {Verdict} */
const NOTHING = {
  look: "warn",
  title: "",
  reasons: [],
  differences: [],
  proof: null,
  checkpoint: null,
  hash: null,
  steps: [],
};

/**
 * Prove an event.
 *
 * @param {import("./event_page.js").EventPage} page
 * @param {import("../verify/signed_note.js").VerifierKey[]} keys that the auditor trusts
 * @param {AbortSignal} signal
 * @returns {Promise<Verdict>}
 * @throws {ApiProblem} if the service gave no proof for a reason that says nothing of the log
 */
export async function proveEvent({ event, leaf }, keys, signal) {
  let proof = null;
  try {
    proof = await readProof(event.position, "application/json", signal);
    return { ...NOTHING, ...(await verdictOf(proof, leaf, keys)), proof };
  } catch (error) {
    if (error instanceof ApiProblem && error.code === "log-changed") {
      const title = "Not proven: the service itself says that its log was changed";
      return { ...NOTHING, look: "bad", title, reasons: [error.detail] };
    }
    if (error instanceof UnsupportedError) {
      return { ...NOTHING, title: "Not verified: this browser cannot", reasons: [error.message], proof };
    }
    if (error instanceof FormatError) {
      return {
        ...NOTHING,
        look: "bad",
        title: "Not proven",
        reasons: [`The proof is not valid: ${error.message}`],
        proof,
      };
    }
    throw error;
  }
}

/**
 * @param {string} text
 * @param {string | null} leaf
 * @param {import("../verify/signed_note.js").VerifierKey[]} keys
 * @returns {Promise<Partial<Verdict>>}
 */
async function verdictOf(text, leaf, keys) {
  if (leaf === null) {
    const reason = "The event that is shown does not have the form in which the log writes events, so it has no leaf.";
    return { look: "bad", title: "Not proven", reasons: [reason] };
  }
  const proof = await parseInclusionProof(text);
  const result = await checkInclusion(proof, { keys, leaf });
  if (result.kind === "unsupported") return { title: "Not verified: this browser cannot", reasons: [result.reason] };
  const { checkpoint, signature } = result;
  const shown = { checkpoint, ...(await pathOf(proof, leaf, checkpoint.size)) };
  if (result.kind === "failed") {
    const differences = differencesOf(leaf, proof.leaf ?? leaf);
    return {
      ...shown,
      look: "bad",
      title: "Not proven: the proof does not fit the event",
      reasons: [result.reason],
      differences,
    };
  }
  if (signature.state === "invalid") {
    return {
      ...shown,
      look: "bad",
      title: "The checkpoint is not signed by your public key",
      reasons: [signature.reason],
    };
  }
  const title = `Proven: the event, exactly as shown, is in the log ${checkpoint.origin} of ${checkpoint.size} events`;
  if (signature.state === "verified") {
    return { ...shown, look: "good", title, reasons: [`The checkpoint is signed by ${signature.keys.join(", ")}.`] };
  }
  const signed =
    signature.state === "no-key" ? "Its signature was not checked: no public key was pasted." : signature.reason;
  return { ...shown, title, reasons: [`The root is the one that the service states. ${signed}`] };
}
