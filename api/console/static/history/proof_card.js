/** The verdict on an event's proof, the path from its leaf to the root, and the files to keep. */

import { html, nothing } from "../vendor/lit.js";
import { download, table } from "../app/components.js";
import { readProof } from "./event_page.js";

/**
 * @param {number} position
 * @param {import("./event_proof.js").Verdict} verdict
 */
export function proofCard(position, verdict) {
  const { look, title, reasons, differences, checkpoint, proof } = verdict;
  return html`<div class="notice ${look} verdict" role=${look === "bad" ? "alert" : "status"}>
      <strong>${title}</strong>
      ${reasons.map((reason) => html`<p>${reason}</p>`)}
      ${differences.length > 0 ? differencesTable(differences) : nothing}
    </div>
    ${checkpoint && steps(verdict)}
    ${
      checkpoint &&
      html`<details>
        <summary>The checkpoint</summary>
        <pre tabindex="0">${checkpoint.text}</pre>
        <p><a href="#/integrity">Check it against those that you kept, and against a public key</a></p>
      </details>`
    }
    ${
      proof &&
      html`<div class="actions">
        <button @click=${() => download(`event-${position}.proof.json`, proof)}>Download the proof (JSON)</button>
        <button @click=${() => saveText(position)}>Download as tlog-proof</button>
      </div>`
    }`;
}

/** @param {number} position */
async function saveText(position) {
  download(`event-${position}.tlog-proof`, await readProof(position, "text/plain"));
}

/** @param {import("./proof_path.js").Difference[]} differences */
function differencesTable(differences) {
  const rows = differences.map(
    ({ name, shown, proven }) =>
      html`<tr>
        <th scope="row">${name}</th>
        <td><code>${shown}</code></td>
        <td><code>${proven}</code></td>
      </tr>`,
  );
  return table("What differs", ["Member", "As shown", "In the proof"], rows);
}

/** @param {import("./event_proof.js").Verdict} verdict */
function steps({ hash, steps: walked, look }) {
  return html`<details>
    <summary>From the event to the root, step by step</summary>
    <ol class="path-steps">
      <li>The event's leaf<code>${hash}</code></li>
      ${walked.map(
        ({ first, last, isLeft, sibling, reached }) =>
          html`<li>
            With the hash of ${first === last ? `event ${first}` : `events ${first} to ${last}`}, on the
            ${isLeft ? "left" : "right"}
            <code class="muted">${sibling}</code>
            <code>${reached}</code>
          </li>`,
      )}
    </ol>
    <p>
      ${look === "bad" ? "The last hash is what the proof leads to." : "The last hash is the root of the checkpoint."}
    </p>
  </details>`;
}
