/** What the page shows, in red, where the log contradicts a checkpoint that was kept. */

import { html, nothing } from "../vendor/lit.js";
import { download } from "../app/components.js";
import { numberOf } from "../app/format.js";
import { contradictionsOf } from "./audited_log.js";

/** Return the notice for a log that the service itself calls changed. @param {string} detail */
export function changedNotice(detail) {
  return html`<div class="notice bad alarm" role="alert">
    <h2>The service itself says that its log was changed</h2>
    <p>${detail}</p>
    <p>
      It gives out no checkpoint any more. ${WHAT_TO_DO} Your kept checkpoints below are evidence of what the log was.
    </p>
  </div>`;
}

/**
 * Return the notice for contradictions, with the texts that cannot both be true.
 *
 * @param {import("./audited_log.js").Visit} visit with a newest checkpoint
 */
export function contradictionNotice(visit) {
  const [first] = contradictionsOf(visit);
  if (first === undefined || visit.newest === null) return nothing;
  const { kept, relation } = first;
  const { text, size } = visit.newest.checkpoint;
  return html`<div class="notice bad alarm" role="alert">
    <h2>Contradiction: the history was rewritten</h2>
    <p>
      The service now shows a log that contradicts a checkpoint that it gave out before:
      ${"reason" in relation ? relation.reason : nothing}. ${extent(visit, first)}
    </p>
    <p>
      These two texts cannot both be true of a log that only grows. If one key signed both, they convict its holder, in
      the hands of everyone.
    </p>
    <div class="columns">
      ${side("Seen before", `kept-${kept.size}.checkpoint`, kept.text)}
      ${side("Shown now", `now-${size}.checkpoint`, text)}
    </div>
    <p>${WHAT_TO_DO}</p>
    <p>
      This page stays red as long as the contradicting checkpoint is kept. Remove it below only if you know that it is
      of another log.
    </p>
  </div>`;
}

const WHAT_TO_DO =
  "Download the texts and store them where the operator cannot reach them. Do not rely on the history until this is " +
  "explained: ask the operator, and compare with other auditors' checkpoints.";

/**
 * Return where the histories part, as far as that is proven.
 *
 * @param {import("./audited_log.js").Visit} visit
 * @param {import("./audited_log.js").KeptResult} first
 */
function extent({ results, newest }, { kept }) {
  if (newest !== null && kept.size > newest.checkpoint.size) {
    return html`At least the events after position ${numberOf(newest.checkpoint.size)} are missing.`;
  }
  // Only checkpoints that were proven to be of one history before say something about each other.
  const same = results.filter((one) => one.relation.kind === "consistent" && one.kept.chained && kept.chained);
  const common = Math.max(0, ...same.map((one) => one.kept.size).filter((size) => size < kept.size));
  return html`The rewrite began between the positions ${numberOf(common + 1)} and ${numberOf(kept.size)}.`;
}

/**
 * @param {string} title
 * @param {string} name
 * @param {string} text
 */
function side(title, name, text) {
  return html`<div>
    <h3>${title}</h3>
    <pre>${text}</pre>
    <div class="actions"><button @click=${() => download(name, text)}>Download ${name}</button></div>
  </div>`;
}
