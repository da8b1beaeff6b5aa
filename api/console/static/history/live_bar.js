/** The state of the live feed in words, with pause and resume. News are announced as a summary, not event by event. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../app/element.js";
import { numberOf } from "../app/format.js";
import { problemNotice } from "../app/problem.js";
import { MAX_WAITING } from "./live_feed.js";

const ANNOUNCE_MS = 5000;
const STATES = { connecting: "Connecting", live: "Live", waiting: "Waiting to reconnect", stopped: "Stopped" };

class LiveBar extends Element {
  /** @override */
  static properties = { feed: { attribute: false }, version: { attribute: false }, news: { state: true } };

  constructor() {
    super();
    /** @type {import("./live_feed.js").LiveFeed | undefined} */
    this.feed = undefined;
    /** Changes with the feed, whose object stays the same. */
    this.version = 0;
    /** What is announced next. */
    this.news = "";
    this.announced = 0;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    this.timer = setInterval(() => this.#announce(), ANNOUNCE_MS);
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  #announce() {
    const received = this.feed?.received ?? 0;
    const count = received - this.announced;
    this.announced = received;
    if (count > 0) this.news = eventsOf(count, this.feed?.paused ? "waiting" : "new");
  }

  /** @override */
  render() {
    const { feed } = this;
    if (feed === undefined) return nothing;
    const state = feed.paused ? "Paused" : STATES[feed.state];
    const look = feed.paused || feed.state === "waiting" ? "warn" : feed.state === "live" ? "good" : "";
    return html`<div class="row live">
        <span role="status"><span class=${`badge ${look}`}>${state}</span></span>
        ${
          feed.paused
            ? html`<button class="primary" @click=${() => feed.resume()}>Resume</button>`
            : html`<button ?disabled=${feed.error !== null} @click=${() => feed.pause()}>Pause</button>`
        }
        <span class="waiting">${feed.paused ? waitingOf(feed) : eventsOf(feed.received, "new")}</span>
        <span class="visually-hidden" role="status">${this.news}</span>
      </div>
      ${feed.state === "waiting" && feed.problem ? html`<p class="muted">${feed.problem.title}: ${feed.problem.detail}</p>` : nothing}
      ${problemNotice(feed.error)}`;
  }
}

/** @param {import("./live_feed.js").LiveFeed} feed */
function waitingOf(feed) {
  if (feed.overflowed) return `More than ${MAX_WAITING} events are waiting. They are read again when you resume.`;
  return eventsOf(feed.waiting.length, "waiting");
}

/**
 * @param {number} count
 * @param {string} what
 */
function eventsOf(count, what) {
  const events = count === 1 ? "event" : "events";
  return what === "new" ? `${numberOf(count)} new ${events}` : `${numberOf(count)} ${events} ${what}`;
}

customElements.define("itl-live-bar", LiveBar);
