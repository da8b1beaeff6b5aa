// @ts-check
/** Bytes as text and back: hexadecimal, base64 and UTF-8, all strict. */

const ENCODER = new TextEncoder();

/** @param {Uint8Array} bytes @returns {string} lowercase hexadecimal */
export function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/**
 * Return the bytes of a text of lowercase hexadecimal digits, or null if it is not one.
 * @param {string} text @returns {Uint8Array<ArrayBuffer> | null}
 */
export function fromHex(text) {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) return null;
  return Uint8Array.from({ length: text.length / 2 }, (_, index) => parseInt(text.slice(2 * index, 2 * index + 2), 16));
}

/** @param {Uint8Array} bytes @returns {string} base64 (RFC 4648, section 4) */
export function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/**
 * Return the bytes of base64 as `toBase64` writes it, or null: `atob` also accepts white space, missing padding and
 * surplus bits.
 * @param {string} text @returns {Uint8Array<ArrayBuffer> | null}
 */
export function fromBase64(text) {
  let binary;
  try {
    binary = atob(text);
  } catch {
    return null;
  }
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return toBase64(bytes) === text ? bytes : null;
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} UTF-8 */
export function toUtf8(text) {
  return ENCODER.encode(text);
}

/**
 * Return the text of UTF-8 bytes, or null if they are not valid UTF-8. A byte order mark stays part of the text.
 * @param {Uint8Array} bytes @returns {string | null}
 */
export function fromUtf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** @param {Uint8Array} left @param {Uint8Array} right @returns {boolean} whether they have the same content */
export function equal(left, right) {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

/** @param {...Uint8Array} parts @returns {Uint8Array<ArrayBuffer>} their concatenation */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
