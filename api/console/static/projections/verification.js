/** The result of a verification, and values that differ. */

import { html, nothing } from "../vendor/lit.js";
import { table } from "../app/components.js";
import { numberOf, timeOf } from "../app/format.js";
import { resultOf, rowsOf } from "./badges.js";

/** @typedef {import("./badges.js").Sample} Sample */
/** @typedef {import("./badges.js").Verification} Verification */

/**
 * Return what a verification found.
 *
 * @param {string} title
 * @param {Verification | null} verification
 */
export function verificationOf(title, verification) {
  if (verification === null) {
    return html`<h3>${title}</h3>
      <p>${resultOf(null)} The service verifies every table at an interval, from some minutes after its start.</p>`;
  }
  const { finished_at: finishedAt, position, rows_compared: compared, rows_differ: differ, problems } = verification;
  return html`<h3>${title}</h3>
    <p>${resultOf(verification)}</p>
    <dl class="facts">
      <dt>Finished</dt>
      <dd>${timeOf(finishedAt)}</dd>
      <dt>Position</dt>
      <dd>${position === null ? "nothing could be compared" : numberOf(position)}</dd>
      <dt>Compared</dt>
      <dd>${rowsOf(compared)}</dd>
      <dt>Differ</dt>
      <dd>${rowsOf(differ)}</dd>
    </dl>
    ${
      problems.length > 0
        ? html`<ul>
            ${problems.map((problem) => html`<li>${problem}</li>`)}
          </ul>`
        : nothing
    }
    ${samplesOf(`${title}: values that differ`, verification.samples, "According to the log")}`;
}

/**
 * Return values that differ as a table.
 *
 * @param {string} label
 * @param {Sample[]} samples
 * @param {string} rebuilt what the values of the log are called
 */
export function samplesOf(label, samples, rebuilt) {
  if (samples.length === 0) return nothing;
  const rows = samples.map(
    (sample) =>
      html`<tr>
        <td>${sample.id}</td>
        <td><code>${sample.column}</code></td>
        <td><del>${textOf(sample.live)}</del></td>
        <td><ins>${textOf(sample.rebuilt)}</ins></td>
      </tr>`,
  );
  return html`${table(label, ["Row", "Column", "Live table", rebuilt], rows)}
    <p class="muted">Values as they are stored: a price is a number of ten-thousandths.</p>`;
}

/** @param {unknown} value */
function textOf(value) {
  return value === null ? "missing" : String(value);
}
