/** The view `Keys`. */

import { html } from "../vendor/lit.js";
import { View } from "../app/element.js";

class KeysView extends View {
  /** @override */
  render() {
    return html`<h1 tabindex="-1">Keys</h1>`;
  }
}

customElements.define("itl-keys", KeysView);
