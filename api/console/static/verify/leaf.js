// @ts-check
/**
 * The text of an event in an export, and the text of its leaf in the tree, byte for byte. Both have exactly one form,
 * so they are matched and not decoded: no number is rounded, and `data` stays the exact text that was recorded.
 */

import { FormatError } from "./errors.js";

/**
 * An event as its columns. `data` is its exact JSON text, `recorded_at` is RFC 3339 in UTC to the microsecond.
 * @typedef {{ position: number, item_id: number, version: number, type: string, recorded_at: string, actor: string,
 *   credential: string | null, command_id: string, ordinal: number, correlation_id: string | null,
 *   causation_id: string | null, fingerprint: string, data: string }} EventColumns
 */

/**
 * A line of an export. `leaf` is the text that the tree commits to.
 * @typedef {{ position: string, itemId: string, version: string, type: string, recordedAt: string, data: string,
 *   leafHash: string, leaf: string }} EventLine
 */

const NUMBER = "(0|[1-9][0-9]*)";
// A string as JSON.stringify writes it.
const CHARACTERS = '[^"\\\\\\x00-\\x1f]*';
const ESCAPE = '\\\\(?:["\\\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))';
const STRING = `("${CHARACTERS}(?:${ESCAPE}${CHARACTERS})*")`;
const OPTIONAL = `(null|${STRING.slice(1)}`;
const HASH = '"([0-9a-f]{64})"';
const TIME = "([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\\.([0-9]{6})Z";

const LINE = new RegExp(
  `^\\{"position":${NUMBER},"item_id":${NUMBER},"version":${NUMBER},"type":${STRING},"recorded_at":"${TIME}",` +
    `"actor":${STRING},"credential":${OPTIONAL},"command_id":${STRING},"ordinal":${NUMBER},` +
    `"correlation_id":${OPTIONAL},"causation_id":${OPTIONAL},"data":(.*),"fingerprint":${HASH},"leaf_hash":${HASH}\\}$`,
  "s", // data may contain U+2028, which is a line end to JavaScript
);
const LEAF = new RegExp(
  `^\\[${NUMBER},${NUMBER},${NUMBER},${STRING},(-?[0-9]+),${STRING},${OPTIONAL},${STRING},${NUMBER},` +
    `${OPTIONAL},${OPTIONAL},${HASH},${STRING}\\]$`,
);

/**
 * Parse the line of an event, without its end.
 * @param {string} line @returns {EventLine} Throws FormatError if it is not exactly as an export writes it.
 */
export function parseLine(line) {
  const match = LINE.exec(line);
  if (!match) throw new FormatError("it differs from the canonical form of an export");
  const [position, itemId, version, type, second, fraction, actor, credential, commandId, ordinal, ...rest] =
    /** @type {string[]} */ (match.slice(1));
  const [correlationId, causationId, data, fingerprint, leafHash] = /** @type {string[]} */ (rest);
  const microseconds = toMicroseconds(/** @type {string} */ (second), /** @type {string} */ (fraction));
  const leaf =
    `[${position},${itemId},${version},${type},${microseconds},${actor},${credential},${commandId},${ordinal},` +
    `${correlationId},${causationId},"${fingerprint}",${JSON.stringify(data)}]`;
  return /** @type {EventLine} */ ({
    position,
    itemId,
    version,
    type: JSON.parse(/** @type {string} */ (type)),
    data,
    leafHash,
    leaf,
    recordedAt: `${second}.${fraction}Z`,
  });
}

/**
 * Return the leaf's text of an event: a line of an export, or the response of `GET /events/{position}`.
 * @param {string} text @returns {string} Throws FormatError.
 */
export function leafOfEvent(text) {
  return parseLine(text.endsWith("\n") ? text.slice(0, -1) : text).leaf;
}

/**
 * Return the columns that a leaf's text has.
 * @param {string} leaf @returns {EventColumns} Throws FormatError, also for a number that would be rounded.
 */
export function columnsOfLeaf(leaf) {
  const match = LEAF.exec(leaf);
  if (!match) throw new FormatError("it is not the text of an event of this log");
  const [position, itemId, version, type, microseconds, actor, credential, commandId, ordinal, ...rest] =
    /** @type {string[]} */ (match.slice(1));
  const [correlationId, causationId, fingerprint, data] = rest;
  return /** @type {EventColumns} */ ({
    position: toNumber(position),
    item_id: toNumber(itemId),
    version: toNumber(version),
    type: toValue(type),
    recorded_at: toTime(/** @type {string} */ (microseconds)),
    actor: toValue(actor),
    credential: toValue(credential),
    command_id: toValue(commandId),
    ordinal: toNumber(ordinal),
    correlation_id: toValue(correlationId),
    causation_id: toValue(causationId),
    fingerprint,
    data: toValue(data),
  });
}

/** @param {string | undefined} text @returns {unknown} */
function toValue(text) {
  return JSON.parse(/** @type {string} */ (text));
}

/** @param {string | undefined} digits @returns {number} */
function toNumber(digits) {
  const number = Number(digits);
  if (!Number.isSafeInteger(number)) {
    throw new FormatError(`${digits} is beyond the numbers that a browser computes exactly`);
  }
  return number;
}

/**
 * Return a time in microseconds since the epoch.
 * @param {string} second such as 2026-11-24T08:00:00 @param {string} fraction its six digits @returns {string}
 */
function toMicroseconds(second, fraction) {
  const moment = new Date(`${second}Z`);
  // Date.parse reads the 30th of February as the 2nd of March.
  if (Number.isNaN(moment.getTime()) || moment.toISOString().slice(0, 19) !== second) {
    throw new FormatError(`${second} is not a time`);
  }
  return String(BigInt(moment.getTime()) * 1000n + BigInt(fraction));
}

/** @param {string} microseconds @returns {string} RFC 3339, as the service writes it */
function toTime(microseconds) {
  const count = BigInt(microseconds);
  const rest = ((count % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const moment = new Date(Number((count - rest) / 1000n));
  if (Number.isNaN(moment.getTime()) || !/^\d{4}-/.test(moment.toISOString())) {
    throw new FormatError(`${microseconds} is not a time up to the year 9999`);
  }
  return `${moment.toISOString().slice(0, 19)}.${String(rest).padStart(6, "0")}Z`;
}
