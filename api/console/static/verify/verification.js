// @ts-check
/** One run of the verification of a whole log: what is asked for, and the result in words. Runs in a worker. */

import { toHex } from "./bytes.js";
import { readCheckpoint } from "./checkpoint.js";
import { FormatError, TamperedError, UnreadableError, UnsupportedError } from "./errors.js";
import { verifyFiles, verifyService } from "./exported_log.js";
import { parsePublicKey } from "./signed_note.js";

/**
 * @typedef {import('./exported_log.js').ExportedFile} ExportedFile
 * @typedef {import('./exported_log.js').ReportProgress} ReportProgress
 * @typedef {import('./signed_note.js').SignatureCheck} SignatureCheck
 */

/**
 * What to verify. The log is the export of a service, or files in the order of their positions. `publicKeys` are texts
 * NAME+ID+BASE64. Each checkpoint must be one of the log; `name` is where it comes from, for people.
 * @typedef {{ source: { kind: 'service', url: string, headers?: Record<string, string> }
 *     | { kind: 'files', files: ExportedFile[] },
 *   checkpoints?: { name: string, text: string }[], publicKeys?: string[] }} VerificationRequest
 */

/**
 * A checkpoint that the log was compared with.
 * @typedef {{ name: string, origin: string, size: number, root: string, signature: SignatureCheck }} ComparedCheckpoint
 */

/**
 * The result. Only `intact` says that the log is intact: up to `size`, with the root `root` (hexadecimal), and the same as
 * each of `checkpoints`. Without checkpoints a truncated or fully rewritten log cannot be detected.
 * `code` of what is not verifiable: `unreadable` (not a log), `incomplete` (cut or not reachable), `refused` (by the
 * service), `signature` (a checkpoint is not signed by the keys).
 * @typedef {{ kind: 'intact', size: number, root: string, unknownTypes: Record<string, number>,
 *       checkpoints: ComparedCheckpoint[] }
 *   | { kind: 'tampered', position: number, reason: string, checkpoints: ComparedCheckpoint[] }
 *   | { kind: 'not-verifiable', code: 'unreadable' | 'incomplete' | 'refused' | 'signature', reason: string }
 *   | { kind: 'cancelled' }} VerificationResult
 */

/**
 * Verify a whole log.
 * @param {VerificationRequest} request @param {ReportProgress} [report] @returns {Promise<VerificationResult>}
 */
export async function runVerification({ source, checkpoints = [], publicKeys = [] }, report = () => {}) {
  /** @type {ComparedCheckpoint[]} */
  const compared = [];
  try {
    const heads = await readHeads(checkpoints, publicKeys, compared);
    const log =
      source.kind === "service"
        ? await verifyService(source, heads, report)
        : await verifyFiles(source.files, heads, report);
    return {
      kind: "intact",
      size: log.size,
      root: toHex(log.root()),
      unknownTypes: log.unknownTypes,
      checkpoints: compared,
    };
  } catch (error) {
    if (error instanceof TamperedError) {
      return { kind: "tampered", position: error.position, reason: error.message, checkpoints: compared };
    }
    if (error instanceof UnreadableError) return { kind: "not-verifiable", code: error.code, reason: error.message };
    throw error;
  }
}

/**
 * @param {{ name: string, text: string }[]} checkpoints @param {string[]} publicKeys
 * @param {ComparedCheckpoint[]} compared gets a line for each
 */
async function readHeads(checkpoints, publicKeys, compared) {
  const { keys, unsupported } = await readKeys(publicKeys);
  const heads = [];
  for (const { name, text } of checkpoints) {
    try {
      const { checkpoint, signature } = await readCheckpoint(text, keys);
      if (signature.state === "invalid") throw new UnreadableError(`${name}: ${signature.reason}`, "signature");
      const { origin, size, root } = checkpoint;
      compared.push({ name, origin, size, root: toHex(root), signature: unsupported ?? signature });
      heads.push({ size, root });
    } catch (error) {
      if (error instanceof FormatError) throw new UnreadableError(`${name}: ${error.message}`);
      throw error;
    }
  }
  return heads;
}

/**
 * @param {string[]} texts
 * @returns {Promise<{ keys: import('./signed_note.js').VerifierKey[], unsupported?: SignatureCheck }>}
 */
async function readKeys(texts) {
  try {
    return { keys: await Promise.all(texts.map(parsePublicKey)) };
  } catch (error) {
    if (error instanceof UnsupportedError)
      return { keys: [], unsupported: { state: "unsupported", reason: error.message } };
    if (error instanceof FormatError) throw new UnreadableError(`A public key: ${error.message}`);
    throw error;
  }
}
