/** Read JSON without rounding: a price has up to 18 digits, more than a JavaScript number holds. */

/** Members whose numbers are decimals: they are returned as the text that the service wrote. */
const DECIMALS = new Set(["price", "stock_value", "from", "to", "live", "rebuilt"]);

/**
 * Return the value of a JSON text, with each decimal as a string of its exact digits.
 *
 * @param {string} text
 * @returns {any}
 * @throws {SyntaxError} if the text is not JSON
 */
export function parseJson(text) {
  return JSON.parse(text, /** @type {(key: string, value: any) => any} */ (exactly));
}

/**
 * @param {string} key
 * @param {unknown} value
 * @param {{source?: string}=} context of ES2025; an older browser has none, and gets 15 to 17 digits
 */
function exactly(key, value, context) {
  return typeof value === "number" && DECIMALS.has(key) ? (context?.source ?? String(value)) : value;
}
