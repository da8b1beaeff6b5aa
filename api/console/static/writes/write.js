/** A write that can be sent again: it keeps its key, so that it has one effect however often it is sent. */

import { call } from "../app/api.js";
import { ApiProblem, noAnswer } from "../app/problem.js";

const TIMEOUT_MS = 30_000;
/** Codes of problems that leave open whether the change took place; a proxy's answer has none. */
const OPEN_CODES = new Set(["", "outcome-unknown", "internal-error"]);
/** Statuses that refuse this request alone, and say nothing about an earlier one with the same key. */
const UNDECIDED = new Set([401, 403, 408, 429]);

/** One write of the user's. */
export class Write {
  /** Whether it may have taken place although no answer says so. */
  isOpen = false;

  /**
   * @param {string} method
   * @param {string} path
   * @param {{body?: Record<string, unknown>, etag?: string | null}=} options `etag` is what the user saw
   */
  constructor(method, path, { body, etag } = {}) {
    this.method = method;
    this.path = path;
    this.body = body;
    /** @type {Record<string, string>} */
    this.headers = { "idempotency-key": newKey(), ...(etag ? { "if-match": etag } : {}) };
  }

  /**
   * Send it, for the first time or again.
   *
   * @throws {ApiProblem}
   */
  async send() {
    try {
      const { body, headers } = this;
      const answer = await call(this.method, this.path, { body, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      this.isOpen = false;
      return answer;
    } catch (error) {
      const problem = error instanceof ApiProblem ? error : noAnswer();
      this.isOpen = this.isOpen ? !decides(problem) : leavesOpen(problem);
      throw problem;
    }
  }
}

/** @param {ApiProblem} problem */
function leavesOpen({ status, code }) {
  return (status < 400 || status >= 500) && OPEN_CODES.has(code);
}

/** @param {ApiProblem} problem */
function decides({ status }) {
  return status >= 400 && status < 500 && !UNDECIDED.has(status);
}

/** Return a new UUID (version 4). `crypto.randomUUID` is missing where the page was not loaded over TLS. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes.set([((bytes[6] ?? 0) & 0x0f) | 0x40], 6);
  bytes.set([((bytes[8] ?? 0) & 0x3f) | 0x80], 8);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
