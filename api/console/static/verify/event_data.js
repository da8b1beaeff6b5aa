// @ts-check
/** Whether the data of an event is JSON as the service writes it, and that of its type. */

import { FormatError } from "./errors.js";

/** @typedef {'text' | 'decimal' | 'flag'} Kind */

/** @type {Record<string, Kind>} */
const ITEM = { name: "text", price: "decimal", in_stock: "flag" };
/** The members of each type's data, and whether each may be absent. @type {Record<string, { members: Record<string, Kind>, optional?: boolean }>} */
const EVENT_TYPES = {
  "item.created.v1": { members: ITEM },
  "item.changed.v1": { members: ITEM, optional: true },
  "item.deleted.v1": { members: {} },
  "item.restored.v1": { members: {} },
};

const STRING = /"[^"\\\x00-\x1f]*(?:\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))[^"\\\x00-\x1f]*)*"/y; // eslint-disable-line no-control-regex
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e-?[0-9]+)?/y;
const WORD = /true|false|null/y;
const MAX_DEPTH = 200;
const DECIMAL =
  /^[+-]?(?:(?:\p{Nd}+\.?\p{Nd}*|\.\p{Nd}+)(?:[eE][+-]?\p{Nd}+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[sS]?[nN][aA][nN]\p{Nd}*)$/u;

/**
 * Check the data of an event. Of a type that is not known only the JSON is checked.
 * @param {string} type @param {string} data @returns {boolean} whether the type is known. Throws FormatError.
 */
export function checkData(type, data) {
  if (new Scanner(data).scan() !== data.length) throw new FormatError("it is not JSON as the service writes it");
  const known = Object.hasOwn(EVENT_TYPES, type) ? EVENT_TYPES[type] : undefined;
  if (!known) return false;
  const value = JSON.parse(data);
  if (data[0] !== "{") throw new FormatError("it is not an object");
  for (const [name, member] of Object.entries(value)) {
    const kind = Object.hasOwn(known.members, name) ? known.members[name] : undefined;
    if (!kind) throw new FormatError(`it has an unknown member ${JSON.stringify(name)}`);
    if (!isOf(kind, member)) throw new FormatError(`its ${name} is not valid`);
  }
  const missing = !known.optional && Object.keys(known.members).find((name) => !Object.hasOwn(value, name));
  if (missing) throw new FormatError(`it has no ${missing}`);
  return true;
}

/** @param {Kind} kind @param {unknown} value @returns {boolean} */
function isOf(kind, value) {
  if (kind === "flag") return typeof value === "boolean";
  if (kind === "text") return typeof value === "string";
  // Python's Decimal accepts these texts; the service has always written the plain ones.
  return typeof value === "number" || (typeof value === "string" && DECIMAL.test(value.trim().replaceAll("_", "")));
}

/** Matches JSON without white space, without a repeated member, with strings in their shortest form. */
class Scanner {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  /** @param {number} [depth] @returns {number} the end of the value that begins here, -1 if there is none */
  scan(depth = 0) {
    const opening = this.text[this.at];
    if (depth > MAX_DEPTH) return -1;
    if (opening === "{" || opening === "[") return this.#scanMembers(opening === "{", depth);
    if (opening === '"') return this.#match(STRING) === null ? -1 : this.at;
    if (this.#match(WORD) !== null) return this.at;
    const number = this.#match(NUMBER);
    return number === null || number === "-0" || !Number.isFinite(Number(number)) ? -1 : this.at;
  }

  /** @param {boolean} isObject @param {number} depth @returns {number} */
  #scanMembers(isObject, depth) {
    const closing = isObject ? "}" : "]";
    /** @type {Set<string>} */
    const names = new Set();
    this.at += 1;
    if (this.#skip(closing)) return this.at;
    do {
      if (isObject) {
        const name = this.#match(STRING);
        if (name === null || names.has(name) || !this.#skip(":")) return -1;
        names.add(name);
      }
      if (this.scan(depth + 1) < 0) return -1;
    } while (this.#skip(","));
    return this.#skip(closing) ? this.at : -1;
  }

  /** @param {string} character @returns {boolean} */
  #skip(character) {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  /** @param {RegExp} pattern @returns {string | null} */
  #match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? null;
    this.at += found?.length ?? 0;
    return found;
  }
}
