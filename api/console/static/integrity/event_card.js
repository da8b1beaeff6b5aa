/** `<itl-event-card>`: proves one event, by its position. */

import { html } from "../vendor/lit.js";
import { Element } from "../app/element.js";
import { href, navigate } from "../app/router.js";
import "./event_proof.js";

class EventCard extends Element {
  /** @override */
  static properties = { position: { attribute: false } };

  constructor() {
    super();
    this.position = "";
  }

  /** @override */
  render() {
    return html`<section class="card" aria-labelledby="event-title">
      <h2 id="event-title">One event</h2>
      <form class="row" @submit=${this.#submit}>
        <label>
          Position
          <input name="position" type="number" min="1" step="1" required .value=${this.position} />
        </label>
        <button>Prove it</button>
      </form>
      <itl-event-proof .position=${this.position}></itl-event-proof>
    </section>`;
  }

  /** @param {SubmitEvent} event */
  #submit(event) {
    event.preventDefault();
    const position = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("position"));
    navigate(href("integrity", "", { event: position }));
  }
}

customElements.define("itl-event-card", EventCard);
