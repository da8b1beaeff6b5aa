/** The view `Projections`: the tables that reads are answered from, compared with the log, and their rebuilds. */

import { html, nothing } from "../vendor/lit.js";
import { get } from "../app/api.js";
import { busy } from "../app/components.js";
import { Loader, View } from "../app/element.js";
import { Poller } from "../app/poller.js";
import { problemNotice } from "../app/problem.js";
import { isRebuilding } from "../projections/badges.js";
import "../projections/projection.js";

/** @typedef {import("../projections/badges.js").Projection} Projection */

const DELAY_MS = 5000;
/** While a rebuild runs, on any process. */
const REBUILDING_MS = 1000;

class ProjectionsView extends View {
  constructor() {
    super();
    /** @type {Loader<Projection[]>} */
    this.projections = new Loader(this);
    this.poller = new Poller(
      this,
      () => this.projections.run(async (signal) => (await get("projections", { signal })).data),
      () => (this.projections.value?.some(isRebuilding) ? REBUILDING_MS : DELAY_MS),
    );
  }

  /** @override */
  render() {
    const { value, error, loading } = this.projections;
    return html`<h1 tabindex="-1">Projections</h1>
      <p>
        Every read is answered from a projection: a table that changes in the same commit as the log. Each can be
        compared with the log, and built again from it, while reads and writes continue.
      </p>
      ${problemNotice(error)} ${value === undefined ? busy(loading) : nothing}
      <div @rebuild=${() => this.poller.now()}>
        ${value?.map((projection) => html`<itl-projection .projection=${projection}></itl-projection>`)}
      </div>`;
  }
}

customElements.define("itl-projections", ProjectionsView);
