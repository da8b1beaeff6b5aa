/** The card of the newest checkpoint: what the service commits to, and who signed it. */

import { html } from "../vendor/lit.js";
import { download } from "../app/components.js";
import { numberOf } from "../app/format.js";
import { toHex } from "../verify/index.js";
import { signatureBadge, signatureWords } from "./signature.js";

/**
 * @param {import("./audited_log.js").Newest} newest
 * @param {string | null} notKept
 */
export function checkpointCard({ checkpoint, signature }, notKept) {
  return html`<section class="card" aria-labelledby="checkpoint-title">
    <h2 id="checkpoint-title">Current checkpoint</h2>
    <dl class="facts">
      <dt>Log</dt>
      <dd>${checkpoint.origin}</dd>
      <dt>Size</dt>
      <dd>${numberOf(checkpoint.size)} events</dd>
      <dt>Root</dt>
      <dd><code>${toHex(checkpoint.root)}</code></dd>
      <dt>Signature</dt>
      <dd data-signature=${signature.state}>${signatureBadge(signature)} ${signatureWords(signature)}</dd>
    </dl>
    ${
      notKept === null
        ? html`<p class="muted">Kept in this browser, to compare later checkpoints with it.</p>`
        : html`<p class="notice warn">
            It was not kept in this browser, so later changes may stay undetected. ${notKept}
          </p>`
    }
    <details>
      <summary>The text, a signed note</summary>
      <pre>${checkpoint.text}</pre>
      <div class="actions">
        <button @click=${() => download(checkpointName(checkpoint.size), checkpoint.text)}>Download</button>
      </div>
    </details>
  </section>`;
}

/** Return the name of the file for a checkpoint. @param {number} size */
export function checkpointName(size) {
  return `${size}.checkpoint`;
}
