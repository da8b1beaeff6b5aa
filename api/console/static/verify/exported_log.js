// @ts-check
/** Reads JSON Lines exports, files or the answer of a service, as the log that was exported. */

import { sha256 } from "../vendor/sha256.js";
import { toHex } from "./bytes.js";
import { FormatError, TamperedError, UnreadableError } from "./errors.js";
import { parseLine } from "./leaf.js";
import { readLines } from "./lines.js";
import { LogVerifier } from "./log_verifier.js";
import { compareWithManifest, headsOf, parseManifest } from "./manifest.js";

/**
 * @typedef {import('./log_verifier.js').TreeHead} TreeHead
 * @typedef {{ name: string, size: number, stream(): ReadableStream<Uint8Array> }} ReadableFile a `File` is one
 * @typedef {{ file: ReadableFile, manifest?: { name: string, text: string } | null }} ExportedFile
 * @typedef {(progress: { events: number, total: number | null }) => void} ReportProgress `total` is null if unknown
 */

/**
 * Verify that files in this order are a log from its beginning that had these heads.
 * @param {readonly ExportedFile[]} files @param {readonly TreeHead[]} heads @param {ReportProgress} report
 * @returns {Promise<LogVerifier>} Throws TamperedError for the first fault, and UnreadableError.
 */
export async function verifyFiles(files, heads, report) {
  const manifests = files.map(({ manifest }) => (manifest ? parseManifest(manifest.text, manifest.name) : null));
  const verifier = new LogVerifier([...heads, ...manifests.flatMap((manifest) => (manifest ? headsOf(manifest) : []))]);
  const totalBytes = files.reduce((sum, { file }) => sum + file.size, 0);
  let readBytes = 0;
  for (const [index, { file }] of files.entries()) {
    const before = verifier.size;
    const digest = sha256.create();
    await addLines(verifier, file.stream(), file.name, (chunk) => {
      digest.update(chunk);
      readBytes += chunk.length;
      report({ events: verifier.size, total: Math.round((verifier.size * totalBytes) / readBytes) });
    });
    const manifest = manifests[index];
    if (manifest) {
      compareWithManifest(file.name, manifest, verifier.size - before, toHex(digest.digest()), verifier.size);
    }
  }
  verifier.finish();
  return verifier;
}

/**
 * Verify that the whole log that a service exports had these heads.
 * @param {{ url: string, headers?: Record<string, string> }} source the URL of `GET /events/export` as JSON Lines
 * @param {readonly TreeHead[]} heads @param {ReportProgress} report
 * @returns {Promise<LogVerifier>} Throws TamperedError for the first fault; UnreadableError where the answer is refused,
 *   or ends before the position that it announced.
 */
export async function verifyService({ url, headers }, heads, report) {
  const verifier = new LogVerifier(heads);
  const response = await fetch(url, { headers: headers ?? {}, cache: "no-store", redirect: "error" }).catch((error) => {
    throw new UnreadableError(`The service cannot be reached: ${error.message}`, "incomplete");
  });
  if (!response.ok) throw await refusal(response);
  const announced = response.headers.get("Log-Position");
  if (!response.body || announced === null || !/^[0-9]{1,15}$/.test(announced)) {
    throw new UnreadableError("The answer has no Log-Position: it is not an export of this service.");
  }
  const total = Number(announced);
  /** @param {string} detail */
  const incomplete = (detail) =>
    new UnreadableError(
      `The export is not complete: it ended after ${verifier.size} of ${total} events (${detail}). Verify again.`,
      "incomplete",
    );
  let lastLineIsWhole = true;
  await addLines(
    verifier,
    response.body,
    "The export",
    () => report({ events: verifier.size, total }),
    () => {
      lastLineIsWhole = false;
    },
  ).catch((error) => {
    throw error instanceof TamperedError || error instanceof UnreadableError ? error : incomplete(error.message);
  });
  if (!lastLineIsWhole || verifier.size < total) throw incomplete("the connection was closed");
  verifier.finish();
  return verifier;
}

/** @param {Response} response @returns {Promise<UnreadableError>} */
async function refusal(response) {
  const problem = await response.json().catch(() => null);
  const title = problem?.title ?? response.statusText;
  const details = [
    problem?.detail,
    response.headers.get("X-Request-ID") && `request ${response.headers.get("X-Request-ID")}`,
  ];
  return new UnreadableError(
    `The service refused the export with ${response.status}: ${[title, ...details].filter(Boolean).join(". ")}`,
    "refused",
  );
}

/**
 * @param {LogVerifier} verifier @param {ReadableStream<Uint8Array>} stream @param {string} source
 * @param {(chunk: Uint8Array) => void} onChunk @param {() => void} [onCut] called for a last line without an end
 */
async function addLines(verifier, stream, source, onChunk, onCut) {
  let isFirst = true;
  await readLines(
    stream,
    (line, isWhole) => {
      if (isFirst && !isObject(line)) throw new UnreadableError(`${source} is not a JSON Lines export`);
      isFirst = false;
      if (onCut && !isWhole) onCut();
      else verifier.add(readEvent(isWhole ? line : null, source, verifier.size + 1));
    },
    onChunk,
  );
}

/** @param {string | null} line @returns {boolean} whether it is a JSON object, even one that is cut */
function isObject(line) {
  return line?.startsWith("{") ?? false;
}

/** @param {string | null} line @param {string} source @param {number} position @returns {import("./leaf.js").EventLine} */
function readEvent(line, source, position) {
  const found = line === null ? null : tryLine(line);
  if (found) return found;
  if (line?.endsWith("\r") && tryLine(line.slice(0, -1))) {
    throw new UnreadableError(
      `${source}: its line ends were converted from LF to CRLF, perhaps by Git or an editor. That is not tampering, ` +
        "but nothing can be verified so. Restore LF, then try again.",
    );
  }
  throw new TamperedError(position, "its line differs from the canonical form of an export");
}

/** @param {string} line */
function tryLine(line) {
  try {
    return parseLine(line);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
