/** The current checkpoint of the log, and the last one that this browser has kept. */

import { html } from "../vendor/lit.js";
import { BASE, get } from "../app/api.js";
import { busy } from "../app/components.js";
import { Element, Loader } from "../app/element.js";
import { ageOf, numberOf } from "../app/format.js";
import { Poller } from "../app/poller.js";
import { problemNotice } from "../app/problem.js";
import { href } from "../app/router.js";
import { KeptCheckpoints } from "../audit/kept_checkpoints.js";

/** Seldom: where checkpoints are signed, the service notes in the database what it signed. */
const DELAY_MS = 30_000;

/** @typedef {import("../audit/kept_checkpoints.js").KeptCheckpoint} KeptCheckpoint */
/** @typedef {{origin: string, tree_size: number, root_hash: string, checkpoint: string}} SignedHead */

class CurrentCheckpoint extends Element {
  constructor() {
    super();
    /** @type {Loader<SignedHead>} */
    this.current = new Loader(this);
    /** @type {Loader<KeptCheckpoint | null>} */
    this.kept = new Loader(this);
    new Poller(
      this,
      () =>
        Promise.all([
          this.current.run(async (signal) => (await get("log/checkpoint", { signal })).data),
          this.kept.run(lastKept),
        ]),
      () => DELAY_MS,
    );
  }

  /** @override */
  render() {
    const { value, error, loading } = this.current;
    return html`${problemNotice(error)} ${value === undefined ? busy(loading) : this.#facts(value)}`;
  }

  /** @param {SignedHead} head */
  #facts(head) {
    const signed = head.checkpoint.includes("\n\n— ");
    return html`<dl class="facts">
        <dt>Log</dt>
        <dd>${head.origin}</dd>
        <dt>Size</dt>
        <dd data-figure="size">${numberOf(head.tree_size)} events</dd>
        <dt>Root</dt>
        <dd><code data-figure="root">${head.root_hash}</code></dd>
        <dt>Signature</dt>
        <dd>${signed ? "present, not verified here" : "none: the service has no signing key"}</dd>
        <dt>Kept in this browser</dt>
        <dd data-figure="kept">${this.#kept()}</dd>
      </dl>
      <p><a href=${href("integrity")}>Verify it in this browser</a></p>`;
  }

  #kept() {
    const { value, error } = this.kept;
    if (error) return "unknown: this browser does not allow the page to store data";
    if (value === undefined) return "…";
    if (value === null) return html`none yet: <a href=${href("integrity")}>Integrity</a> keeps one on each visit`;
    return html`${ageOf(value.seenAt)} ago, at ${numberOf(value.size)} events`;
  }
}

/** @returns {Promise<KeptCheckpoint | null>} the one that was seen last */
async function lastKept() {
  const kept = await new KeptCheckpoints(BASE.href).list();
  return kept.reduce(
    (last, one) => (last === null || one.seenAt > last.seenAt ? one : last),
    /** @type {KeptCheckpoint | null} */ (null),
  );
}

customElements.define("itl-checkpoint", CurrentCheckpoint);
