// @ts-check
/** Proofs as the service gives them out (JSON, or C2SP tlog-proof), and whether they prove what they say. */

import { equal, fromBase64, fromHex, fromUtf8, toHex, toUtf8 } from "./bytes.js";
import { exactSize, readCheckpoint } from "./checkpoint.js";
import { FormatError, ProofError, UnsupportedError } from "./errors.js";
import { HASH_SIZE_BYTES, leafHash } from "./hashing.js";
import { columnsOfLeaf } from "./leaf.js";
import { rootOfInclusion, verifyConsistency } from "./proofs.js";

/**
 * @typedef {import('./checkpoint.js').Checkpoint} Checkpoint
 * @typedef {import('./signed_note.js').SignatureCheck} SignatureCheck
 * @typedef {import('./signed_note.js').VerifierKey} VerifierKey
 * @typedef {import('./leaf.js').EventColumns} EventColumns
 */

/**
 * A proof that an event is in a log, not yet verified. `leaf` is null where the proof does not contain the event.
 * @typedef {{ index: number, hashes: Uint8Array[], checkpoint: string, leaf: string | null }} InclusionProof
 * @typedef {{ oldSize: number, newSize: number, hashes: Uint8Array[] }} ConsistencyProof
 */

/**
 * `proven`: the event is in the log of the checkpoint. `failed`: it is not, or the proof does not show it.
 * `unsupported`: this browser cannot compute hashes here.
 * @typedef {{ kind: 'proven', event: EventColumns, leaf: string, checkpoint: Checkpoint, signature: SignatureCheck }
 *   | { kind: 'failed', reason: string, event: EventColumns, leaf: string, checkpoint: Checkpoint, signature: SignatureCheck }
 *   | { kind: 'unsupported', reason: string }} InclusionResult
 * @typedef {{ kind: 'consistent', oldSize: number, newSize: number }
 *   | { kind: 'contradiction', reason: string } | { kind: 'unsupported', reason: string }} ConsistencyResult
 */

const TLOG_PROOF = "c2sp.org/tlog-proof@v1";

/**
 * Parse the response of `GET /log/proof/{position}`, as JSON or as text.
 * @param {string} text @returns {Promise<InclusionProof>} Throws FormatError, also where its members contradict each
 *   other, and UnsupportedError.
 */
export async function parseInclusionProof(text) {
  if (text.startsWith(TLOG_PROOF)) return parseTlogProof(text);
  const document = parseObject(text);
  const { position, leaf, leaf_hash: hash, leaf_index: index, tree_size: size, root_hash: root, checkpoint } = document;
  if (![position, index, size].every(isCount) || ![leaf, hash, root, checkpoint].every(isText)) {
    throw new FormatError("a member is missing or not valid");
  }
  const { checkpoint: head } = await readCheckpoint(checkpoint);
  const repeated = [index + 1, toHex(await leafHash(toUtf8(leaf))), head.size, toHex(head.root)];
  if (![position, hash, size, root].every((value, place) => value === repeated[place])) {
    throw new FormatError("its members contradict each other");
  }
  return { index, hashes: parseHashes(document.hashes), checkpoint, leaf };
}

/** @param {string} text a `.tlog-proof` file (c2sp.org/tlog-proof) @returns {InclusionProof} */
function parseTlogProof(text) {
  const end = text.indexOf("\n\n");
  const [first, ...lines] = (end < 0 ? text : text.slice(0, end)).split("\n");
  const extra = lines[0]?.startsWith("extra ") ? decode(/** @type {string} */ (lines.shift()).slice(6)) : null;
  const [, index] = /^index (0|[1-9][0-9]{0,18})$/.exec(lines.shift() ?? "") ?? [];
  if (first !== TLOG_PROOF || index === undefined) {
    throw new FormatError(`it does not begin with ${TLOG_PROOF} and an index`);
  }
  const leaf = extra && fromUtf8(extra);
  if (extra && leaf === null) throw new FormatError("its extra is not text");
  const hashes = lines.map((line) => decode(line, HASH_SIZE_BYTES));
  return { index: exactSize(index), hashes, checkpoint: end < 0 ? "" : text.slice(end + 2), leaf };
}

/**
 * Check that an event is in the log of the proof's checkpoint.
 * @param {InclusionProof} proof @param {{ keys?: readonly VerifierKey[], leaf?: string }} [options] `leaf` is the text
 *   of the event that the proof must be of; otherwise the one in the proof
 * @returns {Promise<InclusionResult>} Throws FormatError where nothing can be checked.
 */
export async function checkInclusion(proof, { keys = [], leaf } = {}) {
  const text = leaf ?? proof.leaf;
  if (text === null) throw new FormatError("it does not contain the event. Add the event.");
  const { checkpoint, signature } = await readCheckpoint(proof.checkpoint, keys);
  const event = columnsOfLeaf(text);
  const result = { event, leaf: text, checkpoint, signature };
  try {
    const reason = await inclusionFailure(proof, text, event, checkpoint);
    return reason === null ? { kind: "proven", ...result } : { kind: "failed", reason, ...result };
  } catch (error) {
    if (error instanceof UnsupportedError) return { kind: "unsupported", reason: error.message };
    throw error;
  }
}

/**
 * @param {InclusionProof} proof @param {string} leaf @param {EventColumns} event @param {Checkpoint} checkpoint
 * @returns {Promise<string | null>}
 */
async function inclusionFailure(proof, leaf, event, checkpoint) {
  if (proof.leaf !== null && proof.leaf !== leaf) {
    return "it is the proof of a different event, or the event was changed";
  }
  if (event.position !== proof.index + 1) return "the event has a different position than the proof";
  try {
    const root = await rootOfInclusion(proof.index, checkpoint.size, await leafHash(toUtf8(leaf)), proof.hashes);
    return equal(root, checkpoint.root) ? null : "its hashes do not lead to the checkpoint's root";
  } catch (error) {
    if (error instanceof ProofError) return error.message;
    throw error;
  }
}

/**
 * Parse the response of `GET /log/consistency`. Its roots and checkpoint are what the service says: compare with the
 * checkpoints that you have instead.
 * @param {string} text @returns {ConsistencyProof} Throws FormatError.
 */
export function parseConsistencyProof(text) {
  const { old_size: oldSize, new_size: newSize, hashes } = parseObject(text);
  if (!isCount(oldSize) || !isCount(newSize)) throw new FormatError("a size is missing or not valid");
  return { oldSize, newSize, hashes: parseHashes(hashes) };
}

/**
 * Check that the log of the newer checkpoint begins with the log of the older one.
 * @param {ConsistencyProof} proof @param {Checkpoint} older @param {Checkpoint} newer
 * @returns {Promise<ConsistencyResult>} Throws FormatError where the proof does not belong to the checkpoints.
 */
export async function checkConsistency(proof, older, newer) {
  if (older.origin !== newer.origin) {
    throw new FormatError(`the checkpoints are of different logs: ${older.origin} and ${newer.origin}`);
  }
  if (proof.oldSize !== older.size || proof.newSize !== newer.size) {
    throw new FormatError(
      `it is of the sizes ${proof.oldSize} and ${proof.newSize}, the checkpoints are of ${older.size} and ${newer.size}`,
    );
  }
  try {
    await verifyConsistency(older.size, newer.size, older.root, newer.root, proof.hashes);
    return { kind: "consistent", oldSize: older.size, newSize: newer.size };
  } catch (error) {
    if (error instanceof ProofError) return { kind: "contradiction", reason: error.message };
    if (error instanceof UnsupportedError) return { kind: "unsupported", reason: error.message };
    throw error;
  }
}

/** @param {string} text @returns {Record<string, any>} */
function parseObject(text) {
  try {
    const value = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // reported below
  }
  throw new FormatError("it is not a JSON object");
}

/** @param {unknown} hashes @returns {Uint8Array[]} */
function parseHashes(hashes) {
  const parsed = Array.isArray(hashes)
    ? hashes.map((hash) => (isText(hash) && hash.length === 64 ? fromHex(hash) : null))
    : [null];
  if (parsed.length > 64 || parsed.includes(null)) throw new FormatError("its hashes are not valid");
  return /** @type {Uint8Array[]} */ (parsed);
}

/** @param {string} base64 @param {number} [sizeBytes] @returns {Uint8Array} */
function decode(base64, sizeBytes) {
  const bytes = fromBase64(base64);
  if (!bytes || (sizeBytes !== undefined && bytes.length !== sizeBytes)) {
    throw new FormatError("invalid base64, or the wrong length");
  }
  return bytes;
}

/** @param {unknown} value @returns {value is number} */
function isCount(value) {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** @param {unknown} value @returns {value is string} */
function isText(value) {
  return typeof value === "string";
}
