/** The first thing to read: what this visit proved. */

import { html } from "../vendor/lit.js";
import { numberOf } from "../app/format.js";
import { levelOf, verdict } from "./verdict.js";

/**
 * Return the verdict of a visit without a contradiction.
 *
 * @param {import("./audited_log.js").Visit} visit with a newest checkpoint
 */
export function summary({ newest, results }) {
  if (newest === null) return null;
  const unknown = results.filter(({ relation }) => relation.kind === "not-checkable");
  const earlier = results.length - unknown.length - 1;
  const [first] = unknown;
  if (newest.signature.state === "wrong") {
    return verdict(
      "bad",
      "The signature of the current checkpoint is WRONG",
      html`<p>Nothing on this page is vouched for by the key that you pasted.</p>`,
    );
  }
  if (first !== undefined) {
    return verdict(
      "warn",
      `The log was not compared with ${numberOf(unknown.length)} of the kept checkpoints`,
      html`<p>
        Nothing was found wrong, and nothing is known: ${"reason" in first.relation ? first.relation.reason : ""}.
      </p>`,
    );
  }
  if (earlier <= 0) {
    return verdict(
      levelOf(newest),
      "This is the first checkpoint that this browser sees",
      html`<p>From now on, each visit proves that the log still begins with it.</p>`,
    );
  }
  return verdict(
    levelOf(newest),
    "The log only grew",
    html`<p>
      This browser proved that the current log begins with each of the ${numberOf(earlier)} earlier checkpoints that it
      kept: no event that they cover was changed, removed or inserted.
    </p>`,
  );
}
