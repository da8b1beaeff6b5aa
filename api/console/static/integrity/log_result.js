/** What the page shows of the verification of a whole log: how far it is, and its verdict. */

import { html, nothing } from "../vendor/lit.js";
import { numberOf } from "../app/format.js";
import { verdict } from "./verdict.js";

/** @typedef {import("../verify/verification.js").VerificationResult} VerificationResult */

/** What is said of a result that is neither intact nor tampered. @type {Record<string, string>} */
const TITLES = {
  incomplete: "INCOMPLETE: the export was cut, so nothing is known about the rest",
  unreadable: "Not verifiable",
  refused: "Refused: nothing was verified",
  signature: "Not verifiable: a checkpoint is not signed by the key",
};

/**
 * Return the verdict on a log.
 *
 * @param {VerificationResult} result
 * @param {number} seconds how long it took
 * @param {() => unknown} signature words about the checkpoint's signature, for an intact log
 * @param {"good" | "warn" | "bad"} level of an intact log
 */
export function logVerdict(result, seconds, signature, level) {
  switch (result.kind) {
    case "intact":
      return verdict(
        level,
        `The log is intact up to ${numberOf(result.size)} events`,
        html`<p>
            This browser recomputed each event's hash and the tree of all of them, and compared the root with
            ${numberOf(result.checkpoints.length)} ${result.checkpoints.length === 1 ? "checkpoint" : "checkpoints"}, in
            ${seconds.toFixed(1)} s.
          </p>
          <p>Root: <code>${result.root}</code></p>
          ${signature()} ${unknownTypes(result.unknownTypes)}`,
      );
    case "tampered":
      return verdict(
        "bad",
        `The log was TAMPERED WITH at position ${numberOf(result.position)}`,
        html`<p>
            Position <strong data-position=${result.position}>${numberOf(result.position)}</strong>: ${result.reason}.
          </p>
          <p>
            Keep your checkpoints and do not rely on the history from this position on until the operator has explained
            it.
          </p>`,
      );
    case "not-verifiable":
      return verdict("warn", TITLES[result.code] ?? "Not verifiable", html`<p>${result.reason}</p>`);
    case "cancelled":
      return verdict("warn", "Cancelled: nothing was verified", nothing);
  }
}

/** @param {Record<string, number>} types */
function unknownTypes(types) {
  const names = Object.keys(types);
  if (names.length === 0) return nothing;
  return html`<p>
    Of the types ${names.join(", ")}, which this page does not know, only the hashes and the JSON were checked.
  </p>`;
}

/** @typedef {{ events: number, total: number | null, seconds: number }} Progress */

/** Return the bar, and the figures beside it. @param {Progress | null} progress null before the first report */
export function progressOf(progress) {
  if (progress === null) return html`<p role="status">Starting …</p>`;
  const { events, total, seconds } = progress;
  return html`<div class="progress">
    <progress
      aria-label="Events verified"
      max=${Math.max(1, total ?? 1)}
      .value=${total === null ? 0 : events}
    ></progress>
    <p>
      ${numberOf(events)}${total === null ? nothing : html` of ${numberOf(total)}`} events,
      ${numberOf(Math.round(events / Math.max(seconds, 0.001)))} events/s
    </p>
  </div>`;
}
