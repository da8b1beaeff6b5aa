// @ts-check
/** Verifies dropped files: the log, proofs, checkpoints. Nothing here asks the service, and nothing touches the page. */

import { readCheckpoint } from "../verify/checkpoint.js";
import { FormatError, UnsupportedError } from "../verify/errors.js";
import { leafOfEvent } from "../verify/leaf.js";
import { checkConsistency, checkInclusion, parseConsistencyProof, parseInclusionProof } from "../verify/proof_files.js";
import { parsePublicKeys } from "../verify/signed_note.js";
import * as findings from "./findings.js";
import { runInWorker } from "./worker_run.js";

/**
 * @typedef {import("./dropped_files.js").DroppedFile} DroppedFile
 * @typedef {import("./findings.js").Finding} Finding
 * @typedef {import("../verify/checkpoint.js").Checkpoint} Checkpoint
 * @typedef {import("../verify/signed_note.js").SignatureCheck} SignatureCheck
 * @typedef {import("../verify/signed_note.js").VerifierKey} VerifierKey
 * @typedef {import("./worker_run.js").VerificationRequest} VerificationRequest
 * @typedef {import("./worker_run.js").VerificationResult} VerificationResult
 * @typedef {{ file: string, checkpoint: Checkpoint, signature: SignatureCheck }} ReadCheckpoint
 */

/**
 * Verify files that were recognised.
 * @param {readonly DroppedFile[]} files
 * @param {{ publicKeys: string, report?: import("../verify/exported_log.js").ReportProgress, newWorker: () => Worker,
 *   release?: (worker: Worker, idle: boolean) => void }} options
 *   `publicKeys`: texts, one a line; those among the files are added
 * @returns {{ findings: Promise<Finding[]>, cancel: () => void }} what was found, the log first
 */
export function verifyDropped(files, options) {
  /** @type {import("./worker_run.js").Running | null} */
  let running = null;
  let isCancelled = false;
  const start = /** @param {VerificationRequest} request */ (request) => {
    running = runInWorker(options.newWorker, request, options.report, options.release);
    if (isCancelled) running.cancel();
    return running.result;
  };
  return {
    findings: verify(files, options.publicKeys, start),
    cancel: () => {
      isCancelled = true;
      running?.cancel();
    },
  };
}

/**
 * @param {readonly DroppedFile[]} files @param {string} typedKeys
 * @param {(request: VerificationRequest) => Promise<VerificationResult>} start
 * @returns {Promise<Finding[]>}
 */
async function verify(files, typedKeys, start) {
  const of = /** @param {import("./dropped_files.js").Kind} kind */ (kind) => files.filter((one) => one.kind === kind);
  const keyTexts = [typedKeys, ...of("public-key").map(({ text }) => text)].join("\n");
  try {
    const keys = await readKeys(keyTexts);
    const checkpoints = await Promise.all(
      of("checkpoint").map(async ({ file, text }) => ({
        file: file.name,
        ...(await named(file.name, () => readCheckpoint(/** @type {string} */ (text), keys))),
      })),
    );
    return [
      ...(of("export").length ? [await verifyLog(files, checkpoints, keys, start)] : []),
      ...findings.contradictions(checkpoints),
      ...(await Promise.all(of("inclusion").map((file) => verifyInclusion(file, of("event"), keys)))),
      ...(await Promise.all(of("consistency").map((file) => verifyConsistency(file, checkpoints, keys)))),
      ...(of("export").length ? [] : checkpoints.map(findings.checkpointAlone)),
      ...findings.unused(files),
    ];
  } catch (error) {
    if (error instanceof FormatError || error instanceof UnsupportedError)
      return [findings.notVerifiable(error.message)];
    throw error;
  }
}

/** @param {string} texts @returns {Promise<VerifierKey[]>} */
async function readKeys(texts) {
  return named("A public key", () => parsePublicKeys(texts));
}

/** Put a name before the message of what `work` throws. @template T @param {string} name @param {() => Promise<T> | T} work */
async function named(name, work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FormatError) throw new FormatError(`${name}: ${error.message}`);
    throw error;
  }
}

/**
 * @param {readonly DroppedFile[]} files @param {readonly ReadCheckpoint[]} checkpoints @param {readonly VerifierKey[]} keys
 * @param {(request: VerificationRequest) => Promise<VerificationResult>} start
 * @returns {Promise<Finding>}
 */
async function verifyLog(files, checkpoints, keys, start) {
  const exported = files
    .filter(({ kind }) => kind === "export")
    .map(({ file }) => ({ file, manifest: manifestOf(file, files) }));
  const result = await start({
    source: { kind: "files", files: exported },
    checkpoints: checkpoints.map(({ file, checkpoint }) => ({ name: file, text: checkpoint.text })),
    publicKeys: keys.map(({ text }) => text),
  });
  return findings.log(result, exported);
}

/**
 * Return the manifest of an exported file: the one with its name, else one that names it.
 * @param {File} file @param {readonly DroppedFile[]} files @returns {{ name: string, text: string } | null}
 */
function manifestOf(file, files) {
  const manifests = files.filter(({ kind }) => kind === "manifest");
  const found =
    manifests.find((one) => one.file.name === `${file.name}.manifest.json`) ??
    manifests.find((one) => JSON.parse(/** @type {string} */ (one.text)).file === file.name);
  return found ? { name: found.file.name, text: /** @type {string} */ (found.text) } : null;
}

/**
 * @param {DroppedFile} dropped @param {readonly DroppedFile[]} events @param {readonly VerifierKey[]} keys
 * @returns {Promise<Finding>}
 */
async function verifyInclusion({ file, text }, events, keys) {
  try {
    const proof = await parseInclusionProof(/** @type {string} */ (text));
    // An event that was dropped with the proof must be the one that is proven.
    const leaves = events.map((event) => leafOfEvent(/** @type {string} */ (event.text)));
    const leaf = leaves.find((one) => one.startsWith(`[${proof.index + 1},`));
    return findings.inclusion(file.name, await checkInclusion(proof, { keys, ...(leaf && { leaf }) }));
  } catch (error) {
    if (error instanceof FormatError) return findings.notVerifiable(`${file.name}: ${error.message}`);
    throw error;
  }
}

/**
 * @param {DroppedFile} dropped @param {readonly ReadCheckpoint[]} checkpoints @param {readonly VerifierKey[]} keys
 * @returns {Promise<Finding>}
 */
async function verifyConsistency({ file, text }, checkpoints, keys) {
  try {
    const written = /** @type {string} */ (text);
    const proof = parseConsistencyProof(written);
    const older = checkpoints.find(({ checkpoint }) => checkpoint.size === proof.oldSize);
    if (!older) throw new FormatError(`add the checkpoint of size ${proof.oldSize} that it begins with`);
    const newer = checkpoints.find(({ checkpoint }) => checkpoint.size === proof.newSize) ?? {
      file: file.name,
      ...(await readCheckpoint(String(JSON.parse(written).checkpoint), keys)),
    };
    const result = await checkConsistency(proof, older.checkpoint, newer.checkpoint);
    return findings.consistency(file.name, result, older, newer);
  } catch (error) {
    if (error instanceof FormatError) return findings.notVerifiable(`${file.name}: ${error.message}`);
    throw error;
  }
}
