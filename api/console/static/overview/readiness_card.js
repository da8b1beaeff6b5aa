/** Whether the service is ready for requests: `GET /readyz`, and what is missing if it is not. */

import { html } from "../vendor/lit.js";
import { get } from "../app/api.js";
import { busy } from "../app/components.js";
import { Element, Loader } from "../app/element.js";
import { numberOf } from "../app/format.js";
import { Poller } from "../app/poller.js";
import { problemNotice } from "../app/problem.js";

const DELAY_MS = 10_000;

/** @typedef {{schema_revision: string, request_log: string, lost_log_lines: number}} Ready */

class ReadinessCard extends Element {
  constructor() {
    super();
    /** @type {Loader<Ready>} */
    this.ready = new Loader(this);
    new Poller(
      this,
      () => this.ready.run(async (signal) => (await get("readyz", { signal })).data),
      () => DELAY_MS,
    );
  }

  /** @override */
  render() {
    const { value, error, loading } = this.ready;
    return html`<section class="card" aria-labelledby="readiness-title">
      <h2 id="readiness-title">Service</h2>
      ${error ? html`<p><span class="badge bad">not ready</span></p>` : ""} ${problemNotice(error)}
      ${error ? "" : value === undefined ? busy(loading) : facts(value)}
    </section>`;
  }
}

/** @param {Ready} ready */
function facts({ schema_revision: revision, request_log: requestLog, lost_log_lines: lost }) {
  return html`<p><span class="badge good">ready</span></p>
    <dl class="facts">
      <dt>Schema</dt>
      <dd>${revision}</dd>
      <dt>Request log</dt>
      <dd><span class="badge ${requestLog === "written" ? "good" : "bad"}">${requestLog}</span></dd>
      <dt>Lost log lines</dt>
      <dd>${numberOf(lost)}</dd>
    </dl>`;
}

customElements.define("itl-readiness-card", ReadinessCard);
