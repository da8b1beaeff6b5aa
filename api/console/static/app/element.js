/** What the page's elements share: light DOM, so that one style sheet and plain labels work, and loading. */

import { LitElement } from "../vendor/lit.js";
import { parseRoute } from "./router.js";

/** An element without a shadow tree. */
export class Element extends LitElement {
  /** @override */
  createRenderRoot() {
    return this;
  }
}

/** A view: its route says what it shows. `load` runs when the route changes. */
export class View extends Element {
  /** @override */
  static properties = { route: { attribute: false } };

  constructor() {
    super();
    /** @type {import("./router.js").Route} */
    this.route = parseRoute("");
  }

  /** Load what `route` names. Override it. */
  load() {}

  /**
   * @override
   * @param {import("lit").PropertyValues} changed
   */
  willUpdate(changed) {
    if (changed.has("route")) this.load();
  }
}

/**
 * Loads one value for an element: the latest request wins, earlier ones are aborted, and the element is rendered again.
 *
 * @template T
 */
export class Loader {
  /** @type {T | undefined} the last value that was loaded; it stays while the next one is loading */
  value = undefined;
  /** @type {unknown} why the last request failed */
  error = null;
  loading = false;
  /** @type {AbortController | null} */
  #running = null;
  #host;

  /** @param {import("lit").ReactiveControllerHost} host */
  constructor(host) {
    this.#host = host;
    host.addController(this);
  }

  /**
   * Load a value. It never rejects: `error` says why it failed.
   *
   * @param {(signal: AbortSignal) => Promise<T>} request
   */
  async run(request) {
    this.#running?.abort();
    const running = (this.#running = new AbortController());
    this.loading = true;
    this.#host.requestUpdate();
    try {
      const value = await request(running.signal);
      if (this.#running !== running) return;
      this.value = value;
      this.error = null;
    } catch (error) {
      if (this.#running !== running || running.signal.aborted) return;
      this.error = error;
    }
    this.loading = false;
    this.#host.requestUpdate();
  }

  /** Forget the value, and abort what is loading. */
  clear() {
    this.#running?.abort();
    this.#running = null;
    this.value = undefined;
    this.error = null;
    this.loading = false;
  }

  hostDisconnected() {
    this.#running?.abort();
  }
}
