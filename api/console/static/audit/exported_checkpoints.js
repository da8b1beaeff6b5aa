// @ts-check
/** Checkpoints as a file: all of a browser's as JSON, and what auditors keep elsewhere, signed notes. */

import { FormatError, parseCheckpoint } from "../verify/index.js";

/** @typedef {import("./kept_checkpoints.js").KeptCheckpoint} KeptCheckpoint */

const FORMAT = "itemledger-checkpoints";

/** Return the file of kept checkpoints. @param {readonly KeptCheckpoint[]} kept */
export function exportText(kept) {
  const checkpoints = kept.map(({ text, seenAt }) => ({ seen_at: seenAt, text }));
  return `${JSON.stringify({ format: FORMAT, checkpoints }, null, 2)}\n`;
}

/**
 * Return the checkpoints of a text: a file that `exportText` wrote, a signed note, or several, one after the other.
 *
 * @param {string} text
 * @returns {string[]}
 * @throws {FormatError} which says which one is not valid
 */
export function checkpointsOf(text) {
  const texts = text.trimStart().startsWith("{") ? ofExport(text) : ofNotes(text.replaceAll("\r\n", "\n"));
  if (texts.length === 0) throw new FormatError("There is no checkpoint in it.");
  for (const [index, one] of texts.entries()) {
    try {
      parseCheckpoint(one);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new FormatError(
        `${texts.length > 1 ? `Checkpoint ${index + 1} of ${texts.length}` : "This"} cannot be read: ${error.message}. ` +
          "Paste the whole text that the service returned, with its signature.",
      );
    }
  }
  return texts;
}

/** @param {string} text */
function ofExport(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new FormatError("This is not valid JSON.");
  }
  // The answer of `GET /log/checkpoint` as JSON has a checkpoint too.
  if (typeof file.checkpoint === "string") return [file.checkpoint];
  const checkpoints = file.format === FORMAT && Array.isArray(file.checkpoints) ? file.checkpoints : null;
  if (checkpoints === null) throw new FormatError("This is not a file of checkpoints.");
  return checkpoints.map((/** @type {{text?: unknown} | null} */ one) => String(one?.text));
}

// A checkpoint of this service without a signature. Three lines of it must not be read as extensions of another.
const UNSIGNED = /[^\n]+\n[0-9]+\n[A-Za-z0-9+/]{43}=\n/gy;

/**
 * Split notes that follow one another.
 *
 * @param {string} text
 */
function ofNotes(text) {
  const trimmed = text.trim();
  if (trimmed === "") return [];
  const unsigned = `${trimmed}\n`.match(UNSIGNED) ?? [];
  if (unsigned.join("") === `${trimmed}\n`) return unsigned;
  return trimmed.split(/(?<=\n— .*)\n+(?!— )/).map((note) => `${note}\n`);
}
