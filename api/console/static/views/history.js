/** The view `History`. */

import { html } from "../vendor/lit.js";
import { View } from "../app/element.js";

class HistoryView extends View {
  /** @override */
  render() {
    return html`<h1 tabindex="-1">History</h1>`;
  }
}

customElements.define("itl-history", HistoryView);
