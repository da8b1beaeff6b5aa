/** The view of one event: all that was recorded, and the proof that it is in the log. */

import { html, nothing } from "../vendor/lit.js";
import { BASE } from "../app/api.js";
import { busy } from "../app/components.js";
import { Loader, View } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { href } from "../app/router.js";
import { PublicKeys } from "../audit/public_keys.js";
import { eventFacts } from "../history/event_facts.js";
import { readEvent } from "../history/event_page.js";
import { proveEvent } from "../history/event_proof.js";
import { proofCard } from "../history/proof_card.js";

class EventView extends View {
  constructor() {
    super();
    /** @type {Loader<import("../history/event_page.js").EventPage>} */
    this.page = new Loader(this);
    /** @type {Loader<import("../history/event_proof.js").Verdict>} */
    this.verdict = new Loader(this);
  }

  /** @override */
  async load() {
    this.page.clear();
    this.verdict.clear();
    const { route } = this;
    await this.page.run((signal) => readEvent(route.id, signal));
    const page = this.page.value;
    if (page === undefined || this.page.error || this.route !== route) return;
    await this.verdict.run(async (signal) => proveEvent(page, await new PublicKeys(BASE.href).list(), signal));
  }

  /** @override */
  render() {
    const { value, error, loading } = this.page;
    return html`<h1 tabindex="-1">Event ${this.route.id}</h1>
      ${this.#neighbours(value?.logPosition)} ${problemNotice(error)} ${busy(loading)}
      ${
        value === undefined || error
          ? nothing
          : html`<div class="columns">${eventFacts(value)} ${this.#proof(value.event.position)}</div>`
      }`;
  }

  /** @param {number} position */
  #proof(position) {
    const { value, error, loading } = this.verdict;
    return html`<section class="card" aria-labelledby="proof-title">
      <h2 id="proof-title">Its proof</h2>
      ${busy(loading)} ${problemNotice(error)} ${value === undefined ? nothing : proofCard(position, value)}
      ${error ? html`<button @click=${() => this.load()}>Retry</button>` : nothing}
    </section>`;
  }

  /** @param {number | undefined} logPosition */
  #neighbours(logPosition) {
    const position = Number(this.route.id);
    const link = (/** @type {number} */ other, /** @type {string} */ label) =>
      html`<a class="button" href=${href("history", other)}>${label}</a>`;
    return html`<nav class="actions neighbours" aria-label="Events beside">
      <a href="#/history">History</a>
      ${position > 1 ? link(position - 1, "Previous event") : nothing}
      ${position < (logPosition ?? (this.page.error ? 0 : Infinity)) ? link(position + 1, "Next event") : nothing}
    </nav>`;
  }
}

customElements.define("itl-event", EventView);
