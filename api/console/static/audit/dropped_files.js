// @ts-check
/** What files are that a user drops or chooses: by their content, since names change. */

import { fromUtf8 } from "../verify/bytes.js";
import { parseCheckpoint } from "../verify/checkpoint.js";
import { FormatError } from "../verify/errors.js";

/**
 * @typedef {"export" | "manifest" | "checkpoint" | "inclusion" | "consistency" | "event" | "public-key" | "unknown"} Kind
 */

/**
 * A file with what it is. `text` is its content, null for an export, which may be large: it is read as a stream.
 * `position` is that of the first event of an export. `reason` says why a file is of no use.
 * @typedef {{ file: File, kind: Kind, text: string | null, position?: number, reason?: string }} DroppedFile
 */

/** The words for each kind. @type {Record<Kind, string>} */
export const KIND_WORDS = {
  export: "exported events",
  manifest: "manifest of an export",
  checkpoint: "checkpoint",
  inclusion: "proof that an event is in the log",
  consistency: "proof that the log only grew",
  event: "event",
  "public-key": "public key",
  unknown: "not recognised",
};

const HEAD_BYTES = 64 * 1024;
/** Everything but an export is small. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
const FIRST_EVENT = /^\{"position":\s*([0-9]{1,15}),/;

/**
 * Recognise files. Reads the beginning of each, and small ones as a whole.
 * @param {Iterable<File>} files @returns {Promise<DroppedFile[]>} in the order in which they are verified
 */
export async function recognise(files) {
  const found = await Promise.all([...files].map(recogniseOne));
  // The parts of a log in the order of their positions: an operating system passes files in any order.
  return found.sort((left, right) => (left.position ?? 0) - (right.position ?? 0));
}

/** @param {File} file @returns {Promise<DroppedFile>} */
async function recogniseOne(file) {
  let head;
  try {
    head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  } catch {
    return { file, kind: "unknown", text: null, reason: "it cannot be read: is it a folder?" };
  }
  const beginning = new TextDecoder().decode(head);
  const position = FIRST_EVENT.exec(beginning)?.[1];
  // The answer of GET /events/{position} is one line without an end.
  if (position !== undefined && beginning.trimEnd().includes("\n")) return exported(file, Number(position));
  if (position !== undefined && (beginning.endsWith("\n") || file.size > HEAD_BYTES)) {
    return exported(file, Number(position));
  }
  if (file.size === 0 && file.name.endsWith(".jsonl")) return exported(file, 0);
  if (file.size > MAX_TEXT_BYTES) return { file, kind: "unknown", text: null, reason: "it is not a JSON Lines export" };
  const text = fromUtf8(new Uint8Array(await file.arrayBuffer()));
  if (text === null) return { file, kind: "unknown", text, reason: "it is not text" };
  return { file, text, ...recogniseText(text) };
}

/** @param {File} file @param {number} position @returns {DroppedFile} */
function exported(file, position) {
  return { file, kind: "export", text: null, position };
}

/** @param {string} text @returns {{ kind: Kind, text?: string, reason?: string }} */
function recogniseText(text) {
  if (text.startsWith("c2sp.org/tlog-proof")) return { kind: "inclusion" };
  if (text.startsWith("PRIVATE+KEY+")) {
    return {
      kind: "unknown",
      reason: "it is a PRIVATE key, which only the service may have. Use the public key, and keep this file secret",
    };
  }
  const lines = text.split("\n").filter((line) => line.trim());
  if (lines.length && lines.every((line) => /^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+\s*$/.test(line))) {
    return { kind: "public-key" };
  }
  return text.trimStart().startsWith("{") ? recogniseJson(text) : recogniseNote(text);
}

/** @param {string} text @returns {{ kind: Kind, text?: string, reason?: string }} */
function recogniseJson(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: "unknown", reason: "it is not JSON" };
  }
  if ("leaf_index" in value) return { kind: "inclusion" };
  if ("old_size" in value) return { kind: "consistency" };
  if ("sha256" in value && "filter" in value) return { kind: "manifest" };
  if ("leaf_hash" in value) return { kind: "event" };
  // The checkpoint as JSON has the note as a member.
  if (typeof value.checkpoint === "string") return { kind: "checkpoint", text: value.checkpoint };
  return { kind: "unknown", reason: "it is not a file of a log" };
}

/** @param {string} text @returns {{ kind: Kind, reason?: string }} */
function recogniseNote(text) {
  try {
    parseCheckpoint(text);
    return { kind: "checkpoint" };
  } catch (error) {
    if (error instanceof FormatError) return { kind: "unknown", reason: `as a checkpoint: ${error.message}` };
    throw error;
  }
}
