// @ts-check
/** Checkpoints (c2sp.org/tlog-checkpoint): a log's origin, its size and the root of its tree, as a signed note. */

import { fromBase64 } from "./bytes.js";
import { FormatError } from "./errors.js";
import { HASH_SIZE_BYTES } from "./hashing.js";
import { checkSignatures, parseNote } from "./signed_note.js";

/** @typedef {import('./signed_note.js').SignatureCheck} SignatureCheck */
/** @typedef {import('./signed_note.js').VerifierKey} VerifierKey */

/**
 * What a log commits to. `text` is the whole note, verbatim.
 * @typedef {{ origin: string, size: number, root: Uint8Array<ArrayBuffer>, text: string }} Checkpoint
 */

/**
 * Parse a checkpoint without checking its signatures. Extension lines are ignored.
 * @param {string} written @returns {Checkpoint} Throws FormatError.
 */
export function parseCheckpoint(written) {
  const { text } = parseNote(written);
  const lines = text.slice(0, -1).split("\n");
  const [origin, size, base64] = lines;
  if (!origin || !base64 || !size || lines.includes("") || !/^(?:0|[1-9][0-9]{0,18})$/.test(size)) {
    throw new FormatError("it is not a valid checkpoint: it needs an origin, a size and a root, each on a line");
  }
  const root = fromBase64(base64);
  if (root?.length !== HASH_SIZE_BYTES) throw new FormatError("invalid base64, or the wrong length");
  return { origin, size: exactSize(size), root, text: written };
}

/** @param {string} digits @returns {number} Throws FormatError for a number that would be rounded. */
export function exactSize(digits) {
  const size = Number(digits);
  if (!Number.isSafeInteger(size)) {
    throw new FormatError(`${digits} is beyond the numbers that a browser computes exactly`);
  }
  return size;
}

/**
 * Parse a checkpoint and check its signatures by those of `keys` that are named like its origin.
 * @param {string} written @param {readonly VerifierKey[]} [keys]
 * @returns {Promise<{ checkpoint: Checkpoint, signature: SignatureCheck }>} Throws FormatError.
 */
export async function readCheckpoint(written, keys = []) {
  const checkpoint = parseCheckpoint(written);
  const ofOrigin = keys.filter((key) => key.name === checkpoint.origin);
  if (keys.length && !ofOrigin.length) {
    const names = keys.map((key) => key.name).join(" or ");
    return {
      checkpoint,
      signature: { state: "invalid", reason: `the checkpoint is of ${checkpoint.origin}, not of ${names}` },
    };
  }
  return { checkpoint, signature: await checkSignatures(parseNote(written), ofOrigin) };
}
