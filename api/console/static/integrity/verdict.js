/** The one look of a verdict: its colour, its word, and what it means. */

import { html } from "../vendor/lit.js";
import { numberOf } from "../app/format.js";
import { signatureLevel, signatureWords } from "./signature.js";

/**
 * Return a notice, announced when it appears: at once if it is bad.
 *
 * @param {"good" | "warn" | "bad"} level
 * @param {unknown} title
 * @param {unknown} content
 */
export function verdict(level, title, content) {
  return html`<div class="notice verdict ${level}" role=${level === "bad" ? "alert" : "status"}>
    <strong>${title}</strong>
    ${content}
  </div>`;
}

/**
 * Return the level of something that is proven by a checkpoint: no better than the checkpoint's signature.
 *
 * @param {import("./audited_log.js").Newest} newest
 */
export function levelOf({ signature }) {
  return signatureLevel(signature);
}

/**
 * Return what a proof by the newest checkpoint is worth.
 *
 * @param {import("./audited_log.js").Newest} newest
 */
export function worth({ checkpoint, signature }) {
  return html`<p>
    Checkpoint of <code>${checkpoint.origin}</code> at ${numberOf(checkpoint.size)} events. ${signatureWords(signature)}
  </p>`;
}
