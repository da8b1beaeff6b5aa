/** The view `Projections`. */

import { html } from "../vendor/lit.js";
import { View } from "../app/element.js";

class ProjectionsView extends View {
  /** @override */
  render() {
    return html`<h1 tabindex="-1">Projections</h1>`;
  }
}

customElements.define("itl-projections", ProjectionsView);
