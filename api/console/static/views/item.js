/** The view `Item`. */

import { html } from "../vendor/lit.js";
import { View } from "../app/element.js";

class ItemView extends View {
  /** @override */
  render() {
    return html`<h1 tabindex="-1">Item</h1>`;
  }
}

customElements.define("itl-item", ItemView);
