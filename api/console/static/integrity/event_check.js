/** Proves one event: its leaf is recomputed from the text that the service shows, and walked to the checkpoint's root. */

import { ApiProblem } from "../app/problem.js";
import { checkInclusion, FormatError, leafOfEvent, parseInclusionProof, UnsupportedError } from "../verify/index.js";
import { equal } from "../verify/bytes.js";
import { fetchText, visitLog } from "./audited_log.js";

/**
 * `proven`: the event is in the log of `visit.newest`. `failed`: the event, or what the service shows of it, is not the
 * one that was recorded. `not-checkable` says nothing about the event.
 * @typedef {{ kind: "proven" | "failed" | "not-checkable", reason: string, leaf: string | null, hashes: number,
 *   visit: import("./audited_log.js").Visit | null }} EventVerdict
 */

/**
 * Prove that the event at a position, as the service shows it, is in the log of the newest checkpoint.
 *
 * @param {number | string} position
 * @param {AbortSignal} signal
 * @returns {Promise<EventVerdict>}
 * @throws {ApiProblem} if the service refuses, or has no such event
 */
export async function proveEvent(position, signal) {
  const visit = await visitLog(signal, Number(position));
  /**
   * @param {EventVerdict["kind"]} kind
   * @param {string} reason
   * @param {string | null=} leaf
   */
  const verdict = (kind, reason, leaf = null) => ({ kind, reason, leaf, hashes: 0, visit });
  if (visit.newest === null) return verdict("failed", visit.changed ?? "the service gave no checkpoint");
  const { checkpoint } = visit.newest;
  let leaf = null;
  try {
    leaf = leafOfEvent(await fetchText(`events/${position}`, signal));
    const text = await fetchText(`log/proof/${position}`, signal, { tree_size: checkpoint.size });
    const proof = await parseInclusionProof(text);
    const result = await checkInclusion(proof, { leaf });
    if (result.kind === "unsupported") return verdict("not-checkable", result.reason, leaf);
    if (result.kind === "failed") return verdict("failed", result.reason, leaf);
    // The proof comes with a checkpoint of its own: only the one that was compared with the kept ones counts.
    if (result.checkpoint.size !== checkpoint.size || !equal(result.checkpoint.root, checkpoint.root)) {
      return verdict("failed", "its proof leads to another root than the checkpoint's", leaf);
    }
    return { ...verdict("proven", "", leaf), hashes: proof.hashes.length };
  } catch (error) {
    if (error instanceof UnsupportedError) return verdict("not-checkable", error.message, leaf);
    if (error instanceof FormatError)
      return verdict("failed", `what the service shows is not valid: ${error.message}`, leaf);
    if (error instanceof ApiProblem && error.code === "log-changed") return verdict("failed", error.message, leaf);
    throw error;
  }
}
