/** The log's position and its events a second, live. Nothing is read while the page is hidden. */

import { html, nothing } from "../vendor/lit.js";
import { get } from "../app/api.js";
import { Element } from "../app/element.js";
import { follow } from "../app/event_stream.js";
import { ageOf, numberOf, typeOf } from "../app/format.js";
import { ApiProblem, problemNotice } from "../app/problem.js";
import { href } from "../app/router.js";
import { Rate, WINDOW_MS } from "./rate.js";

const TICK_MS = 1000;
const RETRY_MS = 1000;
const WORDS = { connecting: "connecting …", live: "live", waiting: "reconnecting …" };

class LiveLog extends Element {
  constructor() {
    super();
    /** @type {number | null} */
    this.position = null;
    /** @type {{position: number, type: string, actor: string, recorded_at: string} | null} the last event */
    this.last = null;
    /** @type {keyof typeof WORDS} */
    this.state = "connecting";
    /** @type {unknown} why nothing can be followed */
    this.error = null;
    this.rate = new Rate();
    /** @type {AbortController | null} */
    this.following = null;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.ticking = undefined;
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    document.addEventListener("visibilitychange", this.#followPage);
    this.#followPage();
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener("visibilitychange", this.#followPage);
    this.#stop();
  }

  #followPage = () => {
    this.#stop();
    if (document.visibilityState === "hidden") return;
    this.following = new AbortController();
    // What is shown changes once a second, however many events come, and also without one: the rate falls.
    this.ticking = setInterval(() => this.requestUpdate(), TICK_MS);
    void this.#follow(this.following.signal);
  };

  #stop() {
    this.following?.abort();
    clearInterval(this.ticking);
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    this.rate = new Rate(); // nothing is known of the time in which nobody watched
    this.#become("connecting");
    try {
      const { data, position } = await get("events", { params: { sort: "-position", limit: 1 }, signal });
      this.last = data[0] ?? null;
      this.#advance(position ?? 0);
      /** @type {import("../app/event_stream.js").Follower["onState"]} */
      const onState = (state, problem) => {
        if (problem !== null) this.error = problem;
        this.#become(state);
      };
      const onPosition = (/** @type {number} */ reached) => this.#advance(reached);
      const onEvent = (/** @type {any} */ event) => (this.last = event);
      await follow(position ?? 0, {}, { onEvent, onState, onPosition }, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.error = error;
      this.#become("waiting");
      if (error instanceof ApiProblem && (error.status === 0 || error.status >= 500)) {
        setTimeout(() => signal.aborted || this.#follow(signal), (error.retryAfterSeconds ?? 0) * 1000 || RETRY_MS);
      }
    }
  }

  /** @param {keyof typeof WORDS} state */
  #become(state) {
    if (state === "live") this.error = null;
    this.state = state;
    this.requestUpdate();
  }

  /** @param {number} position */
  #advance(position) {
    if (this.position === null) this.requestUpdate();
    this.position = position;
    this.rate.add(performance.now(), position);
  }

  /** @override */
  render() {
    const { last, position, state } = this;
    const tone = { live: "good", connecting: "", waiting: "warn" }[state];
    return html`<section class="card" aria-labelledby="position-title">
        <h2 id="position-title">Log position</h2>
        <p class="figure" data-figure="position">${position === null ? "–" : numberOf(position)}</p>
        <p role="status"><span class="badge ${tone}">${WORDS[state]}</span></p>
        ${last === null ? nothing : this.#lastEvent(last)} ${problemNotice(this.error)}
      </section>
      <section class="card" aria-labelledby="rate-title">
        <h2 id="rate-title">Events a second</h2>
        <p class="figure" data-figure="rate">${this.#rate()}</p>
        <p class="muted">In the last ${WINDOW_MS / 1000} seconds.</p>
      </section>`;
  }

  #rate() {
    const rate = this.state === "live" ? this.rate.perSecond(performance.now()) : null;
    if (rate === null) return "–";
    return rate === 0 || rate >= 10 ? numberOf(Math.round(rate)) : rate.toFixed(1);
  }

  /** @param {{position: number, type: string, actor: string, recorded_at: string}} event */
  #lastEvent(event) {
    return html`<p>
      Last event: <a href=${href("history", event.position)}>${numberOf(event.position)}</a> ${typeOf(event.type)} by
      ${event.actor}, <time datetime=${event.recorded_at}>${ageOf(event.recorded_at)}</time> ago
    </p>`;
  }
}

customElements.define("itl-live-log", LiveLog);
