/** The view `Integrity`. */

import { html } from "../vendor/lit.js";
import { View } from "../app/element.js";

class IntegrityView extends View {
  /** @override */
  render() {
    return html`<h1 tabindex="-1">Integrity</h1>`;
  }
}

customElements.define("itl-integrity", IntegrityView);
