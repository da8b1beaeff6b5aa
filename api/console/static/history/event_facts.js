/** The members of one event, each with a link to the events that share it. */

import { html, nothing } from "../vendor/lit.js";
import { timeOf, typeOf } from "../app/format.js";
import { href } from "../app/router.js";

/** Members that are a filter of the history, with what they are called. */
const LINKED = { actor: "Actor", credential: "Credential", command_id: "Command", correlation_id: "Correlation" };

/**
 * Return all members, and the exact text of the data.
 *
 * @param {import("./event_page.js").EventPage} page
 */
export function eventFacts({ event, data, leaf }) {
  const code = (/** @type {string | null} */ value) =>
    value === null ? html`<span class="muted">none</span>` : html`<code>${value}</code>`;
  return html`<section class="card" aria-labelledby="event-title">
    <h2 id="event-title">What was recorded</h2>
    <dl class="facts">
      <dt>Position</dt>
      <dd>${event.position}</dd>
      <dt>Recorded</dt>
      <dd>${timeOf(event.recorded_at)} <span class="muted">(${event.recorded_at})</span></dd>
      <dt>Type</dt>
      <dd>${typeOf(event.type)} <code>${event.type}</code></dd>
      <dt>Item</dt>
      <dd>
        <a href=${href("items", event.item_id)}>${event.item_id}</a>, version ${event.version} ·
        <a href=${href("history", "", { item_id: event.item_id })}>all events of the item</a>
      </dd>
      ${Object.entries(LINKED).map(
        ([name, label]) =>
          html`<dt>${label}</dt>
            <dd>
              ${event[name] === null ? code(null) : html`<a href=${href("history", "", { [name]: event[name] })}>${code(event[name])}</a>`}
            </dd>`,
      )}
      <dt>Ordinal</dt>
      <dd>${event.ordinal} <span class="muted">among the events of its command, from 0</span></dd>
      <dt>Causation</dt>
      <dd>${code(event.causation_id)}</dd>
      <dt>Fingerprint</dt>
      <dd>${code(event.fingerprint)}</dd>
      <dt>Leaf hash</dt>
      <dd>${code(event.leaf_hash)}</dd>
    </dl>
    <h3>Data</h3>
    <pre tabindex="0" aria-label="Data, the exact text"><bdi>${data}</bdi></pre>
    ${leaf === null ? html`<p class="muted">Not the exact text: it does not have the form of the log.</p>` : nothing}
  </section>`;
}
