// @ts-check
/** The manifest beside an exported file, and whether a file is what its manifest says. */

import { fromHex } from "./bytes.js";
import { TamperedError, UnreadableError } from "./errors.js";

/**
 * @typedef {{ format: string, filter: Record<string, number | string>, count: number, first_position: number | null,
 *   last_position: number | null, log: { size: number, root: string }, file: string, bytes: number,
 *   sha256: string }} Manifest
 */

/** @param {unknown} value @returns {value is number} */
const isCount = (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
/** @param {unknown} value @returns {value is string} */
const isHash = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
/** @param {unknown} value @returns {value is Record<string, any>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Parse a manifest, and check that it fits itself and is of a contiguous part of a log.
 * @param {string} text @param {string} name the name of the manifest, for errors
 * @returns {Manifest} Throws UnreadableError.
 */
export function parseManifest(text, name) {
  let manifest;
  try {
    manifest = JSON.parse(text);
  } catch {
    manifest = null;
  }
  if (!isManifest(manifest)) throw new UnreadableError(`${name} is not a valid manifest`);
  if (manifest.format !== "jsonl") {
    throw new UnreadableError(`${name} is of a ${manifest.format} export: only JSON Lines exports can be verified`);
  }
  if (Object.keys(manifest.filter).some((filter) => filter !== "after" && filter !== "before")) {
    throw new UnreadableError(
      `${name} is of a filtered export: only complete logs can be verified, single events by their proofs`,
    );
  }
  const { after, before } = bounds(manifest);
  const last = Math.min(before - 1, manifest.log.size);
  const [count, first, end] = last > after ? [last - after, after + 1, last] : [0, null, null];
  if (manifest.count !== count || manifest.first_position !== first || manifest.last_position !== end) {
    throw new UnreadableError(
      `${name} is not a valid manifest: its positions do not fit a log of ${manifest.log.size} events`,
    );
  }
  return manifest;
}

/** @param {unknown} value @returns {value is Manifest} */
function isManifest(value) {
  return (
    isObject(value) &&
    typeof value.format === "string" &&
    typeof value.file === "string" &&
    isObject(value.filter) &&
    Object.values(value.filter).every((one) => typeof one === "string" || typeof one === "number") &&
    [value.filter.after ?? 0, value.filter.before ?? 0].every(
      (one) => isCount(one) || /^[0-9]{1,15}$/.test(String(one)),
    ) &&
    isCount(value.count) &&
    isCount(value.bytes) &&
    [value.first_position, value.last_position].every((one) => one === null || isCount(one)) &&
    isObject(value.log) &&
    isCount(value.log.size) &&
    isHash(value.log.root) &&
    isHash(value.sha256)
  );
}

/** @param {Manifest} manifest @returns {{ after: number, before: number }} the positions that the export lies between */
function bounds({ filter }) {
  return { after: Number(filter.after ?? 0), before: Number(filter.before ?? Infinity) };
}

/**
 * Return the head of the log that the file must reach, if it reaches it.
 * @param {Manifest} manifest @returns {import('./log_verifier.js').TreeHead[]}
 */
export function headsOf(manifest) {
  const root = /** @type {Uint8Array} */ (fromHex(manifest.log.root));
  return bounds(manifest).before > manifest.log.size ? [{ size: manifest.log.size, root }] : [];
}

/**
 * Check that a file of `count` events up to `position` is the one that its manifest describes.
 * @param {string} name @param {Manifest} manifest @param {number} count @param {string} digest its SHA-256
 * @param {number} position Throws TamperedError.
 */
export function compareWithManifest(name, manifest, count, digest, position) {
  if (manifest.count !== count) {
    throw new TamperedError(position + 1, `${name} has ${count} events, but its manifest says ${manifest.count}`);
  }
  const first = position - count + 1;
  if (count && manifest.first_position !== first) {
    throw new TamperedError(
      first,
      `${name} begins at position ${first}, but its manifest says ${manifest.first_position}`,
    );
  }
  if (manifest.sha256 !== digest) {
    throw new TamperedError(position, `${name} does not match the SHA-256 in its manifest`);
  }
}
