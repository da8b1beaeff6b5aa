/** The report of the last rebuild that completed. */

import { html, nothing } from "../vendor/lit.js";
import { numberOf } from "../app/format.js";
import { rowsOf } from "./badges.js";
import { samplesOf } from "./verification.js";

/** @typedef {import("./badges.js").Report} Report */

/** Return the report, in full. @param {Report} report */
export function reportOf(report) {
  const { digest_live: live, digest_rebuilt: rebuilt, lock_held_ms: lockMs, rows_differ: differ } = report;
  /** @type {[string, unknown][]} */
  const facts = [
    ["Outcome", outcomeOf(report)],
    ["Version", report.version],
    ["Position", numberOf(report.position)],
    ["Events replayed", `${numberOf(report.events)}, ${numberOf(Math.round(report.rate))} a second`],
    ["Rows", numberOf(report.rows)],
    [
      "Compared",
      `${rowsOf(report.rows_compared)}${report.compared_at === null ? "" : ` at position ${numberOf(report.compared_at)}`}`,
    ],
    ["Differ", html`<span class="badge ${differ > 0 ? "bad" : "good"}">${rowsOf(differ)}</span>`],
    ["Corrected", rowsOf(report.rows_corrected)],
    ["Digest of the live table", live === null ? "there was no live table" : html`<code>${live}</code>`],
    ["Digest of the rebuilt table", rebuilt === null ? "not compared" : html`<code>${rebuilt}</code>`],
    ["Digests", live === null || rebuilt === null ? "–" : live === rebuilt ? "equal" : "different"],
    ["Writes stopped for", lockMs === null ? "no time: a dry run" : `${lockMs} ms`],
    ...Object.entries(report.seconds).map(
      ([phase, seconds]) => /** @type {[string, unknown]} */ ([`Phase ${phase}`, `${seconds} s`]),
    ),
  ];
  if (report.columns_added.length > 0) facts.push(["Columns added", report.columns_added.join(", ")]);
  if (report.columns_dropped.length > 0) facts.push(["Columns dropped", report.columns_dropped.join(", ")]);
  return html`<dl class="facts">
      ${facts.map(
        ([term, value]) =>
          html`<dt>${term}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    ${differ > 0 ? samplesOf("Values that differed", report.samples, "Rebuilt table") : nothing}`;
}

/** @param {Report} report */
function outcomeOf({ lock_held_ms: lockMs, rows_corrected: corrected, rows_differ: differ, swapped }) {
  if (lockMs === null) return differ > 0 ? "dry run: the live table still differs" : "dry run: the live table is right";
  if (swapped) return "the new table was swapped in";
  return corrected > 0 ? "the rows that differed were corrected" : "the live table was right";
}
