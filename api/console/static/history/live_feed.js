/** New events as they come, with pause and resume. Rows and waiting events are bounded; no event is lost or comes twice. */

import { follow } from "../app/event_stream.js";

/** At most so many rows are in the page. Older events are a link away. */
export const MAX_ROWS = 200;
/** At most so many events wait while the feed is paused. Beyond, they are read from the service again. */
export const MAX_WAITING = 500;

/** What the view shows of the feed. Every change asks the host for a new rendering. */
export class LiveFeed {
  /** @type {any[]} newest first */
  rows = [];
  /** @type {any[]} received while paused, oldest first */
  waiting = [];
  paused = false;
  /** Whether more events came while paused than can wait: they are read again on resume. */
  overflowed = false;
  /** @type {"stopped" | "connecting" | "live" | "waiting"} */
  state = "stopped";
  /** @type {import("../app/problem.js").ApiProblem | null} why it waits to connect again */
  problem = null;
  /** @type {unknown} why it stopped for good */
  error = null;
  /** Events that came since the start. */
  received = 0;
  /** Events up to here are in `rows` or `waiting`, or do not match the filters. */
  #position = 0;
  /** Events up to here are in `rows`, or do not match. */
  #shownPosition = 0;
  #filters = new URLSearchParams();
  /** @type {AbortController | null} */
  #running = null;
  #host;

  /** @param {import("lit").ReactiveControllerHost} host */
  constructor(host) {
    this.#host = host;
    host.addController(this);
  }

  /**
   * Follow the events after those that were read.
   *
   * @param {URLSearchParams} filters
   * @param {any[]} rows newest first
   * @param {number} position the end of the log that the rows reflect
   */
  start(filters, rows, position) {
    this.stop();
    this.#filters = new URLSearchParams(filters);
    this.rows = rows.slice(0, MAX_ROWS);
    this.#position = this.#shownPosition = position;
    this.#connect();
  }

  /** Stop following, and forget everything. */
  stop() {
    this.#disconnect();
    Object.assign(this, { rows: [], waiting: [], paused: false, overflowed: false, problem: null, error: null });
    this.received = 0;
  }

  /** Hold new events back. */
  pause() {
    this.paused = true;
    this.#host.requestUpdate();
  }

  /** Show the events that wait, and follow on. */
  resume() {
    this.paused = false;
    if (this.overflowed) {
      this.overflowed = false;
      this.#position = this.#shownPosition; // the stream sends all events after it again
      this.#connect();
    } else {
      this.#show(this.waiting);
    }
    this.waiting = [];
    this.#host.requestUpdate();
  }

  hostDisconnected() {
    this.stop();
  }

  #disconnect() {
    this.#running?.abort();
    this.#running = null;
    this.state = "stopped";
  }

  async #connect() {
    const running = (this.#running = new AbortController());
    const follower = {
      onEvent: (/** @type {any} */ event) => this.#receive(event),
      onPosition: (/** @type {number} */ position) => this.#advance(position),
      onState: (/** @type {LiveFeed["state"]} */ state, /** @type {LiveFeed["problem"]} */ problem) => {
        this.state = state;
        if (state !== "connecting") this.problem = problem; // the reason stays while it tries again
        this.#host.requestUpdate();
      },
    };
    try {
      await follow(this.#position, this.#filters, follower, running.signal);
    } catch (error) {
      if (this.#running !== running) return;
      this.#disconnect();
      this.error = error;
      this.#host.requestUpdate();
    }
  }

  /** @param {any} event */
  #receive(event) {
    this.received += 1;
    if (!this.paused) this.#show([event]);
    else if (this.waiting.length < MAX_WAITING) this.waiting.push(event);
    else this.#overflow();
    this.#host.requestUpdate();
  }

  /** @param {number} position */
  #advance(position) {
    if (this.overflowed) return;
    this.#position = position;
    if (this.waiting.length === 0) this.#shownPosition = position;
  }

  #overflow() {
    this.#disconnect();
    this.overflowed = true;
    this.received -= this.waiting.length + 1; // they come again
    this.waiting = [];
  }

  /** @param {any[]} events oldest first */
  #show(events) {
    this.rows = [...events.slice(-MAX_ROWS).reverse(), ...this.rows].slice(0, MAX_ROWS);
    this.#shownPosition = Math.max(this.#shownPosition, this.#position, events.at(-1)?.position ?? 0);
  }
}
