// @ts-check
/** Reads the lines of a stream of bytes, chunk by chunk: the source is read no faster than the lines are processed. */

import { concat } from "./bytes.js";

const NEWLINE = 10;
/** An event has at most some kilobytes. */
const MAX_LINE_BYTES = 1024 * 1024;

/**
 * Call `onLine` with each line, without its end, in order. A line that is not UTF-8 or is too long is null. Only the last
 * one can be not whole: the stream ended before its end.
 * @param {ReadableStream<Uint8Array>} stream @param {(line: string | null, isWhole: boolean) => void} onLine
 * @param {(chunk: Uint8Array) => void} [onChunk] called with each chunk once its lines were processed
 * @returns {Promise<void>}
 */
export async function readLines(stream, onLine, onChunk = () => {}) {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** @param {Uint8Array} bytes */
  const decode = (bytes) => {
    try {
      return decoder.decode(bytes);
    } catch {
      return null;
    }
  };
  const reader = stream.getReader();
  let rest = new Uint8Array(0);
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const end = next.value.lastIndexOf(NEWLINE) + 1;
      if (end) {
        const whole = concat(rest, next.value.subarray(0, end));
        rest = next.value.slice(end);
        const text = decode(whole);
        if (text !== null) {
          for (const line of text.slice(0, -1).split("\n")) onLine(line, true);
        } else {
          for (const line of split(whole)) onLine(decode(line), true);
        }
      } else {
        rest = concat(rest, next.value);
      }
      onChunk(next.value);
      if (rest.length > MAX_LINE_BYTES) return onLine(null, true);
    }
    if (rest.length) onLine(decode(rest), false);
  } finally {
    await reader.cancel().catch(() => {}); // the first error counts
  }
}

/** @param {Uint8Array} bytes lines with their ends @returns {Generator<Uint8Array>} */
function* split(bytes) {
  for (let start = 0, end; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(NEWLINE, start);
    yield bytes.subarray(start, end);
  }
}
