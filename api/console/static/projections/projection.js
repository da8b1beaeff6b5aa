/** One projection: its table, its verifications, and its rebuilds. */

import { html, nothing } from "../vendor/lit.js";
import { call } from "../app/api.js";
import { Element } from "../app/element.js";
import { numberOf } from "../app/format.js";
import { ApiProblem, problemNotice } from "../app/problem.js";
import { isRebuilding, stateOf } from "./badges.js";
import { endOf, progressOf, rightsOf } from "./rebuild_progress.js";
import { reportOf } from "./rebuild_report.js";
import { verificationOf } from "./verification.js";
import "./rebuild_form.js";

/** @typedef {import("./badges.js").Projection} Projection */

/** What to do about a table that is not live. */
const ADVICE = {
  live: "",
  outdated: "An earlier version of the service built this table. It serves until it is rebuilt.",
  "not-built": "The table is missing. Rebuild it.",
  newer: "A later version of the service built this table. This version does not write to it: upgrade this process.",
};

class ProjectionElement extends Element {
  /** @override */
  static properties = { projection: { attribute: false }, error: { state: true } };

  constructor() {
    super();
    /** @type {Projection | null} */
    this.projection = null;
    /** @type {unknown} why a rebuild was not started, or not cancelled */
    this.error = null;
  }

  /** @override */
  render() {
    const { projection } = this;
    if (projection === null) return nothing;
    const { lag, last_report: report, name, position, rebuild, snapshots, state, verification } = projection;
    const title = `projection-${name}`;
    return html`<section class="card" aria-labelledby=${title} data-projection=${name}>
      <h2 id=${title}>${name} ${stateOf(state)}</h2>
      ${ADVICE[state] ? html`<p class="notice warn">${ADVICE[state]}</p>` : nothing}
      <div class="columns">
        <div>
          <h3>Table</h3>
          <dl class="facts">
            <dt>Version of this service</dt>
            <dd>${projection.version}</dd>
            <dt>Version of the table</dt>
            <dd>${projection.table_version ?? "none"}</dd>
            <dt>Position</dt>
            <dd>${position === null ? "–" : numberOf(position)} of ${numberOf(projection.log_position)}</dd>
            <dt>Lag</dt>
            <dd>${lag === null ? "–" : `${numberOf(lag)} ${lag === 1 ? "event" : "events"}`}</dd>
          </dl>
        </div>
        <div>${verificationOf("Last verification", verification)}</div>
        ${snapshots === null ? nothing : html`<div>${verificationOf("Snapshots", snapshots)}</div>`}
      </div>
      <h3>Rebuild</h3>
      ${
        rebuild !== null && isRebuilding(projection)
          ? progressOf(name, rebuild, () => this.#cancel(name))
          : html`${endOf(name, rebuild)}
              <itl-rebuild-form .name=${name} @rebuild=${this.#onRebuild}></itl-rebuild-form>`
      }
      ${problemNotice(this.error)}
      ${this.error instanceof ApiProblem && this.error.code === "rebuild-failed" ? rightsOf(name) : nothing}
      ${
        report === null
          ? nothing
          : html`<details>
              <summary>Report of the last rebuild of ${name}</summary>
              ${reportOf(report)}
            </details>`
      }
    </section>`;
  }

  /** @param {CustomEvent<unknown>} event */
  #onRebuild({ detail }) {
    this.error = detail;
  }

  /** @param {string} name */
  async #cancel(name) {
    this.error = null;
    try {
      await call("DELETE", `projections/${name}/rebuild`);
    } catch (error) {
      this.error = error;
    }
    this.dispatchEvent(new Event("rebuild", { bubbles: true }));
  }
}

customElements.define("itl-projection", ProjectionElement);
