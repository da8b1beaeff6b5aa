/** The view `Items`. */

import { html } from "../vendor/lit.js";
import { View } from "../app/element.js";

class ItemsView extends View {
  /** @override */
  render() {
    return html`<h1 tabindex="-1">Items</h1>`;
  }
}

customElements.define("itl-items", ItemsView);
