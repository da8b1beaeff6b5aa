/** The states of projections and their verifications: a word, and a colour beside it. */

import { html } from "../vendor/lit.js";
import { numberOf } from "../app/format.js";

/**
 * @typedef {object} Sample a value that differs
 * @property {number} id
 * @property {string} column
 * @property {unknown} live
 * @property {unknown} rebuilt
 *
 * @typedef {object} Verification
 * @property {string} finished_at
 * @property {number | null} position
 * @property {number} rows_compared
 * @property {number} rows_differ
 * @property {string[]} problems
 * @property {Sample[]} samples
 *
 * @typedef {object} Rebuild
 * @property {"starting" | "running" | "interrupted" | "cancelled" | "failed" | "succeeded"} state
 * @property {string} phase
 * @property {number} position
 * @property {number} target
 * @property {number} progress
 * @property {number} rate
 * @property {number | null} eta_seconds
 * @property {string} started_at
 * @property {string} updated_at
 * @property {boolean} cancelled
 * @property {string | null} failure
 *
 * @typedef {object} Report
 * @property {number} version
 * @property {number} position
 * @property {number} events
 * @property {number} rate
 * @property {Record<string, number>} seconds
 * @property {number} rows
 * @property {number} rows_compared
 * @property {number} rows_differ
 * @property {Sample[]} samples
 * @property {string[]} columns_added
 * @property {string[]} columns_dropped
 * @property {number | null} compared_at
 * @property {string | null} digest_live
 * @property {string | null} digest_rebuilt
 * @property {number | null} lock_held_ms
 * @property {boolean} swapped
 * @property {number} rows_corrected
 *
 * @typedef {object} Projection
 * @property {string} name
 * @property {number} version
 * @property {number | null} table_version
 * @property {"live" | "outdated" | "not-built" | "newer"} state
 * @property {number | null} position
 * @property {number} log_position
 * @property {number | null} lag
 * @property {Rebuild | null} rebuild
 * @property {Report | null} last_report
 * @property {Verification | null} verification
 * @property {Verification | null} snapshots
 */

const STATES = { live: "good", outdated: "warn", "not-built": "warn", newer: "bad" };
const REBUILDS = {
  starting: "",
  running: "",
  interrupted: "warn",
  cancelled: "warn",
  failed: "bad",
  succeeded: "good",
};

/** Return the badge of a table's state. @param {Projection["state"]} state */
export function stateOf(state) {
  return html`<span class="badge ${STATES[state] ?? ""}">${state}</span>`;
}

/** Return the badge of a rebuild's state. @param {Rebuild["state"]} state */
export function rebuildStateOf(state) {
  return html`<span class="badge ${REBUILDS[state] ?? ""}">${state}</span>`;
}

/** Return the badge of a verification's result. @param {Verification | null} verification */
export function resultOf(verification) {
  if (verification === null) return html`<span class="badge">not verified yet</span>`;
  const { rows_differ: differ, problems } = verification;
  if (differ > 0)
    return html`<span class="badge bad">drift: ${rowsOf(differ)} ${differ === 1 ? "differs" : "differ"}</span>`;
  if (problems.length > 0) return html`<span class="badge bad">problem found</span>`;
  return html`<span class="badge good">intact</span>`;
}

/** Return a number of rows. @param {number} count */
export function rowsOf(count) {
  return `${numberOf(count)} ${count === 1 ? "row" : "rows"}`;
}

/** Return whether a rebuild is on its way. @param {Projection} projection */
export function isRebuilding({ rebuild }) {
  return rebuild?.state === "starting" || rebuild?.state === "running";
}
