/** Times, numbers and names as the page shows them. */

import { html } from "../vendor/lit.js";

/**
 * Return a time element for an RFC 3339 time: to the second, in UTC, as the log has it. The title has all digits.
 *
 * @param {string | null | undefined} time
 */
export function timeOf(time) {
  if (!time) return html`<span class="muted">never</span>`;
  return html`<time datetime=${time} title=${time}>${time.slice(0, 10)} ${time.slice(11, 19)} UTC</time>`;
}

/**
 * Return how long ago a time was: `42 s`, `5 min`, `3 h`, `12 days`.
 *
 * @param {string | number} time RFC 3339, or milliseconds since the epoch
 * @param {number=} nowMs
 */
export function ageOf(time, nowMs = Date.now()) {
  const seconds = Math.max(0, (nowMs - new Date(time).getTime()) / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

/**
 * Return a whole number with its digits in groups.
 *
 * @param {number | bigint} count
 */
export function numberOf(count) {
  return count.toLocaleString("en");
}

/**
 * Return a price with its digits in groups, exactly: no digit is rounded.
 *
 * @param {string | null | undefined} price
 */
export function priceOf(price) {
  if (price === null || price === undefined) return "";
  const [, sign = "", whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(price) ?? [];
  if (whole === "") return price;
  return `${sign}${numberOf(BigInt(whole))}.${fraction.padEnd(2, "0")}`;
}

/**
 * Return the short form of a hash; the title has all of it.
 *
 * @param {string} hash in hexadecimal
 */
export function hashOf(hash) {
  return html`<code class="hash" title=${hash}>${hash.slice(0, 12)}…</code>`;
}

/** What happened, by the second part of an event type. */
const VERBS = new Set(["created", "changed", "deleted", "restored"]);

/**
 * Return the badge of an event type: `item.changed.v1` is "changed".
 *
 * @param {string} type
 */
export function typeOf(type) {
  const verb = type.split(".")[1] ?? "";
  const known = VERBS.has(verb);
  return html`<span class="badge ${known ? verb : ""}" title=${type}>${known ? verb : type}</span>`;
}
