/** Verifies the whole log: the export is streamed through a worker, and compared with the checkpoints. */

import { address } from "../app/api.js";
import { authorization } from "../app/credential.js";
import { fromHex } from "../verify/bytes.js";
import { checkConsistency, parseConsistencyProof } from "../verify/index.js";
import { startVerification } from "../audit/worker_client.js";
import { fetchText, visitLog } from "./audited_log.js";

/**
 * @typedef {import("../verify/verification.js").VerificationResult} VerificationResult
 * @typedef {import("./audited_log.js").Visit} Visit
 * @typedef {{ result: VerificationResult, visit: Visit, seconds: number }} LogCheck `visit` has the newest checkpoint that
 *   the log was compared with
 */

/**
 * Start to verify the log against the newest checkpoint, and against the kept ones.
 *
 * @param {Visit} visit
 * @param {import("../verify/exported_log.js").ReportProgress} report
 * @param {AbortSignal} signal
 * @returns {Promise<LogCheck>}
 */
export async function checkLog(visit, report, signal) {
  const startedMs = performance.now();
  const { result, cancel } = startVerification(
    {
      source: {
        kind: "service",
        url: address("events/export", { format: "jsonl" }).href,
        headers: { ...authorization(), accept: "application/jsonl" },
      },
      checkpoints: checkpointsFor(visit),
    },
    report,
  );
  signal.addEventListener("abort", cancel);
  const found = await result;
  const checked = await checkEnd(found, visit, signal);
  return { ...checked, seconds: (performance.now() - startedMs) / 1000 };
}

/**
 * Return what the log must agree with. Kept checkpoints that are of the same history as the newest one are proven by it.
 * Where some are not, only those of the first history tell where the log parts from it.
 *
 * @param {Visit} visit
 */
function checkpointsFor({ newest, results }) {
  const kept = results
    .filter((one) => one.kept.chained || one.relation.kind !== "consistent")
    .map((one) => ({ name: `The kept checkpoint of ${one.kept.size} events`, text: one.kept.text }));
  const rewritten = results.some((one) => one.kept.chained && one.relation.kind === "contradiction");
  if (newest === null || rewritten || kept.some(({ text }) => text === newest.checkpoint.text)) return kept;
  return [...kept, { name: "The current checkpoint", text: newest.checkpoint.text }];
}

/**
 * Events that were recorded after the newest checkpoint are in the export too: compare the end with a later checkpoint.
 *
 * @param {VerificationResult} result
 * @param {Visit} visit
 * @param {AbortSignal} signal
 * @returns {Promise<{ result: VerificationResult, visit: Visit }>}
 */
async function checkEnd(result, visit, signal) {
  if (result.kind !== "intact" || visit.newest === null || result.size <= visit.newest.checkpoint.size) {
    return { result, visit };
  }
  const later = await visitLog(signal, result.size);
  if (later.newest === null) return { result, visit };
  const { checkpoint } = later.newest;
  const text = await fetchText("log/consistency", signal, { from: result.size, to: checkpoint.size });
  const root = /** @type {Uint8Array<ArrayBuffer>} */ (fromHex(result.root));
  const computed = { ...checkpoint, size: result.size, root };
  const proof = await checkConsistency(parseConsistencyProof(text), computed, checkpoint);
  if (proof.kind === "consistent") return { result, visit: later };
  return {
    visit: later,
    result:
      proof.kind === "unsupported"
        ? result
        : {
            kind: "tampered",
            position: visit.newest.checkpoint.size + 1,
            reason: `the tree root at ${result.size} events is not that of the current checkpoint`,
            checkpoints: result.checkpoints,
          },
  };
}
