/** Each projection in a line: its state, its lag, and the result of the last verification. */

import { html } from "../vendor/lit.js";
import { get } from "../app/api.js";
import { busy, table } from "../app/components.js";
import { Element, Loader } from "../app/element.js";
import { ageOf, numberOf } from "../app/format.js";
import { Poller } from "../app/poller.js";
import { problemNotice } from "../app/problem.js";
import { href } from "../app/router.js";
import { rebuildStateOf, resultOf, stateOf } from "../projections/badges.js";

/** @typedef {import("../projections/badges.js").Projection} Projection */

const DELAY_MS = 10_000;

class ProjectionTable extends Element {
  constructor() {
    super();
    /** @type {Loader<Projection[]>} */
    this.projections = new Loader(this);
    new Poller(
      this,
      () => this.projections.run(async (signal) => (await get("projections", { signal })).data),
      () => DELAY_MS,
    );
  }

  /** @override */
  render() {
    const { value, error, loading } = this.projections;
    return html`${problemNotice(error)} ${value === undefined ? busy(loading) : list(value)}`;
  }
}

/** @param {Projection[]} projections */
function list(projections) {
  return table("Projections", ["Projection", "State", "Lag", "Last verification", "Rebuild"], projections.map(row));
}

/** @param {Projection} projection */
function row({ name, state, lag, verification, rebuild }) {
  return html`<tr>
    <th scope="row"><a href=${href("projections")}>${name}</a></th>
    <td>${stateOf(state)}</td>
    <td>${lag === null ? "–" : `${numberOf(lag)} ${lag === 1 ? "event" : "events"}`}</td>
    <td>${resultOf(verification)} ${verification === null ? "" : `${ageOf(verification.finished_at)} ago`}</td>
    <td>${rebuild === null ? html`<span class="muted">none</span>` : rebuildStateOf(rebuild.state)}</td>
  </tr>`;
}

customElements.define("itl-projection-table", ProjectionTable);
