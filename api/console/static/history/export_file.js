/** Saves an export as a file: as it comes where the browser can, otherwise held in memory until it is whole. */

import { open } from "../app/api.js";
import { download } from "../app/components.js";
import { ApiProblem } from "../app/problem.js";

/** What was received is handed to the browser in parts of this size, which it can move out of memory. */
const PART_BYTES = 4 * 1024 * 1024;

/**
 * @typedef {object} ExportFormat
 * @property {string} label
 * @property {string} file its suggested name
 * @property {string} mediaType
 */

/** By the `format` of `GET /events/export`. @type {Record<string, ExportFormat>} */
export const FORMATS = {
  jsonl: { label: "JSON Lines", file: "events.jsonl", mediaType: "application/jsonl" },
  csv: { label: "CSV", file: "events.csv", mediaType: "text/csv" },
  cloudevents: {
    label: "CloudEvents",
    file: "events.cloudevents.json",
    mediaType: "application/cloudevents-batch+json",
  },
};

/**
 * @typedef {object} Sink where an export goes
 * @property {boolean} inMemory
 * @property {(bytes: Uint8Array<ArrayBuffer>) => Promise<void>} write
 * @property {() => Promise<void>} finish keeps the file
 * @property {() => Promise<void>} discard keeps nothing
 */

/**
 * Let the user choose a file, where the browser can write to one.
 *
 * @param {ExportFormat} format
 * @returns {Promise<Sink>}
 * @throws {DOMException} AbortError if the user chooses none
 */
export async function openSink({ file, mediaType }) {
  const show = /** @type {any} */ (window).showSaveFilePicker;
  if (show === undefined) return memorySink(file, mediaType);
  const handle = await show({ suggestedName: file });
  const isNew = (await handle.getFile()).size === 0;
  const writable = await handle.createWritable(); // to a copy, which replaces the file when it is closed
  return {
    inMemory: false,
    write: (bytes) => writable.write(bytes),
    finish: () => writable.close(),
    discard: async () => {
      await writable.abort().catch(() => {});
      if (isNew) await handle.remove?.().catch(() => {}); // the empty file that the dialog made
    },
  };
}

/**
 * @param {string} file
 * @param {string} mediaType
 * @returns {Sink}
 */
function memorySink(file, mediaType) {
  /** @type {Blob[]} */
  let parts = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  let chunks = [];
  let sizeBytes = 0;
  const seal = () => {
    parts.push(new Blob(chunks));
    chunks = [];
    sizeBytes = 0;
  };
  return {
    inMemory: true,
    write: async (bytes) => {
      chunks.push(bytes);
      sizeBytes += bytes.length;
      if (sizeBytes >= PART_BYTES) seal();
    },
    finish: async () => {
      seal();
      download(file, new Blob(parts, { type: mediaType }));
    },
    discard: async () => {
      parts = [];
      chunks = [];
    },
  };
}

/**
 * Write an export to a sink. An answer that was cut off, or cancelled, leaves nothing.
 *
 * @param {string} format
 * @param {URLSearchParams} filters
 * @param {Sink} sink
 * @param {AbortSignal} signal
 * @param {(sizeBytes: number) => void} report called with the size so far
 * @returns {Promise<number>} its size in bytes
 */
export async function saveExport(format, filters, sink, signal, report) {
  const params = new URLSearchParams(filters);
  params.set("format", format);
  try {
    const { body } = await open("GET", "events/export", { params, headers: { accept: "*/*" }, signal });
    const reader = body?.getReader();
    let sizeBytes = 0;
    const next = () =>
      reader?.read().catch((error) => {
        throw signal.aborted ? error : cutOff(sizeBytes);
      });
    for (let part = await next(); part !== undefined && !part.done; part = await next()) {
      await sink.write(part.value);
      report((sizeBytes += part.value.length));
    }
    signal.throwIfAborted();
    await sink.finish();
    return sizeBytes;
  } catch (error) {
    await sink.discard();
    throw error;
  }
}

/**
 * Return the problem of an answer that began and did not come to its end.
 *
 * @param {number} sizeBytes what was received
 */
function cutOff(sizeBytes) {
  return new ApiProblem(0, {
    title: "The export failed",
    detail: `The answer was cut off after ${sizeOf(sizeBytes)}. Nothing was saved. Export again.`,
  });
}

/**
 * Return a size with its unit.
 *
 * @param {number} sizeBytes
 */
export function sizeOf(sizeBytes) {
  if (sizeBytes < 1024) return `${sizeBytes} bytes`;
  if (sizeBytes < 1024 ** 2) return `${(sizeBytes / 1024).toFixed(1)} KiB`;
  return `${(sizeBytes / 1024 ** 2).toFixed(1)} MiB`;
}
