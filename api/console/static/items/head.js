/** The end of the log, asked for every few seconds while the page is visible. */

import { headPosition } from "./moment.js";

const INTERVAL_MS = 3000;

/** Renders its element again when the log has grown. */
export class Head {
  /** The last position that is known. */
  position = 0;
  #timer = 0;
  #host;

  /** @param {import("lit").ReactiveControllerHost} host */
  constructor(host) {
    this.#host = host;
    host.addController(this);
  }

  /** Note a position that an answer named. @param {number} position */
  note(position) {
    if (position <= this.position) return;
    this.position = position;
    this.#host.requestUpdate();
  }

  hostConnected() {
    this.#timer = setInterval(() => {
      if (!document.hidden) headPosition().then((position) => this.note(position), ignore);
    }, INTERVAL_MS);
  }

  hostDisconnected() {
    clearInterval(this.#timer);
  }
}

/** Without an answer nothing is new; what the user does next says what is wrong. */
function ignore() {}
