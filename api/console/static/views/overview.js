/** The view `Overview`. */

import { html } from "../vendor/lit.js";
import { View } from "../app/element.js";

class OverviewView extends View {
  /** @override */
  render() {
    return html`<h1 tabindex="-1">Overview</h1>`;
  }
}

customElements.define("itl-overview", OverviewView);
