/** The rebuild that runs, or how the last one ended. */

import { html, nothing } from "../vendor/lit.js";
import { ageOf, numberOf, timeOf } from "../app/format.js";
import { rebuildStateOf } from "./badges.js";

/** @typedef {import("./badges.js").Rebuild} Rebuild */

const PHASES = {
  fill: "replaying the log into a new table",
  index: "building its indexes",
  compare: "comparing it with the live table",
  swap: "correcting the live table",
};

/**
 * Return the progress of the rebuild that runs.
 *
 * @param {string} name of the projection
 * @param {Rebuild} rebuild
 * @param {() => void} onCancel
 */
export function progressOf(name, rebuild, onCancel) {
  const { cancelled, phase, position, progress, rate, state, target } = rebuild;
  const step = state === "starting" ? "starting" : (PHASES[/** @type {keyof typeof PHASES} */ (phase)] ?? phase);
  const left = rebuild.eta_seconds === null ? "" : `, ${ageOf(0, rebuild.eta_seconds * 1000)} left`;
  return html`<div class="rebuild">
    <p>${rebuildStateOf(state)} <span role="status">Phase: ${step}</span></p>
    <progress aria-label="Progress of the rebuild of ${name}" max="1" .value=${progress}></progress>
    <p>
      ${numberOf(position)} of ${numberOf(target)} events, ${numberOf(Math.round(rate))} a second${left}. Started
      ${timeOf(rebuild.started_at)}
    </p>
    <div class="actions">
      <button class="danger" ?disabled=${cancelled} @click=${onCancel}>Cancel the rebuild</button>
      ${cancelled ? html`<span role="status">Its cancellation was requested.</span>` : nothing}
    </div>
  </div>`;
}

/**
 * Return how the last rebuild ended.
 *
 * @param {string} name of the projection
 * @param {Rebuild | null} rebuild
 */
export function endOf(name, rebuild) {
  if (rebuild === null) return html`<p class="muted">It was not rebuilt yet.</p>`;
  return html`<p>${rebuildStateOf(rebuild.state)} ${timeOf(rebuild.updated_at)}</p>
    ${
      rebuild.failure === null
        ? nothing
        : html`<p class="notice bad">${rebuild.failure}</p>
            ${rightsOf(name)}`
    }`;
}

/** Return who may rebuild a projection if the service may not. @param {string} name */
export function rightsOf(name) {
  return html`<p class="muted">
    A rebuild creates tables. If the service may not, as on PostgreSQL, an operator with the rights of the schema's
    owner can run <code>itemledger rebuild ${name}</code>. This page shows it, too.
  </p>`;
}
