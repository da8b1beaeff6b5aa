/** The view `Integrity`: what the log says of itself, verified in this browser and not by the service's word. */

import { html, nothing } from "../vendor/lit.js";
import { busy } from "../app/components.js";
import { Loader, View } from "../app/element.js";
import { problemNotice } from "../app/problem.js";
import { contradictionsOf, publicKeys, visitLog } from "../integrity/audited_log.js";
import { checkpointCard } from "../integrity/checkpoint_card.js";
import { changedNotice, contradictionNotice } from "../integrity/contradiction.js";
import { summary } from "../integrity/summary.js";
import "../integrity/event_card.js";
import "../integrity/files_card.js";
import "../integrity/kept_card.js";
import "../integrity/keys_card.js";
import "../integrity/verify_card.js";

class IntegrityView extends View {
  /** @override */
  static properties = { ...View.properties, tampered: { state: true } };

  constructor() {
    super();
    /** @type {Loader<import("../integrity/audited_log.js").Visit>} */
    this.visit = new Loader(this);
    this.tampered = false;
    this.again = () => this.visit.run((signal) => visitLog(signal));
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    publicKeys.addEventListener("change", this.again);
    this.addEventListener("stored", this.again);
    this.addEventListener("checked", (event) => this.#onChecked(/** @type {CustomEvent} */ (event)));
    void this.again();
  }

  /** @override */
  disconnectedCallback() {
    publicKeys.removeEventListener("change", this.again);
    super.disconnectedCallback();
  }

  /** @param {CustomEvent<import("../integrity/log_check.js").LogCheck>} event */
  #onChecked({ detail: { result } }) {
    this.tampered = result.kind === "tampered";
  }

  /** @override */
  render() {
    const visit = this.visit.value;
    this.classList.toggle("alarmed", this.#isAlarming(visit));
    return html`<h1 tabindex="-1">Integrity</h1>
      <p>
        Everything on this page is verified by this browser, not by the service's word. The page itself comes from the
        service: to trust neither, see the last section.
      </p>
      ${problemNotice(this.visit.error)} ${busy(this.visit.loading && visit === undefined)}
      ${visit === undefined ? nothing : this.#found(visit)}
      <itl-verify-log .visit=${visit}></itl-verify-log>
      <itl-event-card .position=${this.route.params.get("event") ?? ""}></itl-event-card>
      <itl-public-keys></itl-public-keys>
      <itl-kept-checkpoints .visit=${visit}></itl-kept-checkpoints>
      <itl-verify-files></itl-verify-files>`;
  }

  /** @param {import("../integrity/audited_log.js").Visit} visit */
  #found(visit) {
    if (visit.changed !== null) return changedNotice(visit.changed);
    if (visit.newest === null) return nothing;
    return html`${contradictionsOf(visit).length > 0 ? contradictionNotice(visit) : summary(visit)}
    ${checkpointCard(visit.newest, visit.notKept)}`;
  }

  /** @param {import("../integrity/audited_log.js").Visit | undefined} visit */
  #isAlarming(visit) {
    if (this.tampered) return true;
    if (visit === undefined) return false;
    return visit.changed !== null || contradictionsOf(visit).length > 0 || visit.newest?.signature.state === "wrong";
  }
}

customElements.define("itl-integrity", IntegrityView);
