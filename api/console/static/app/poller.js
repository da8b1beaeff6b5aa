/** Repeats a request while its element is on the page and the page is visible. */

export class Poller {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer = undefined;
  #active = false;
  #request;
  #delayMs;

  /**
   * @param {import("lit").ReactiveControllerHost} host
   * @param {() => Promise<unknown>} request must not reject, as `Loader.run` does not
   * @param {() => number} delayMs from the end of one request to the next
   */
  constructor(host, request, delayMs) {
    this.#request = request;
    this.#delayMs = delayMs;
    host.addController(this);
  }

  hostConnected() {
    document.addEventListener("visibilitychange", this.#followPage);
    this.#followPage();
  }

  hostDisconnected() {
    document.removeEventListener("visibilitychange", this.#followPage);
    this.#stop();
  }

  /** Send the request now, and continue from there. */
  async now() {
    clearTimeout(this.#timer);
    await this.#request();
    if (!this.#active) return;
    clearTimeout(this.#timer); // of a call that began meanwhile
    this.#timer = setTimeout(() => this.now(), this.#delayMs());
  }

  #followPage = () => {
    if (document.visibilityState === "hidden") this.#stop();
    else if (!this.#active) {
      this.#active = true;
      void this.now();
    }
  };

  #stop() {
    this.#active = false;
    clearTimeout(this.#timer);
  }
}
