/** The view `Overview`: what the log and the service are like now, and what happened on the days before. */

import { html } from "../vendor/lit.js";
import { withScope } from "../app/components.js";
import { View } from "../app/element.js";
import "../overview/activity_charts.js";
import "../overview/checkpoint.js";
import "../overview/live_log.js";
import "../overview/projection_table.js";
import "../overview/readiness_card.js";

class OverviewView extends View {
  /** @override */
  render() {
    return html`<h1 tabindex="-1">Overview</h1>
      <div class="cards fit">
        ${withScope("events:read", () => html`<itl-live-log></itl-live-log>`)}
        <itl-readiness-card></itl-readiness-card>
      </div>
      <section class="card" aria-labelledby="checkpoint-title">
        <h2 id="checkpoint-title">Checkpoint</h2>
        ${withScope("events:read", () => html`<itl-checkpoint></itl-checkpoint>`)}
      </section>
      <section class="card" aria-labelledby="projections-title">
        <h2 id="projections-title">Projections</h2>
        ${withScope("projections:rebuild", () => html`<itl-projection-table></itl-projection-table>`)}
      </section>
      <section class="card" aria-labelledby="activity-title">
        <h2 id="activity-title">Activity</h2>
        ${withScope("items:read", () => html`<itl-activity-charts .route=${this.route}></itl-activity-charts>`)}
      </section>`;
  }
}

customElements.define("itl-overview", OverviewView);
