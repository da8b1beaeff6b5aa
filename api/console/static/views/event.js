/** The view `Event`. */

import { html } from "../vendor/lit.js";
import { View } from "../app/element.js";

class EventView extends View {
  /** @override */
  render() {
    return html`<h1 tabindex="-1">Event</h1>`;
  }
}

customElements.define("itl-event", EventView);
