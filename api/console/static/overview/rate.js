/** Events a second, from the positions at which the log was seen. */

/** The moving window: long enough for a steady figure, short enough that a figure of 0 means that nothing happens. */
export const WINDOW_MS = 10_000;
/** A shorter time says little of a rate. */
const LEAST_MS = 1000;
/** Positions that come within this time count as one: an upper bound of what is stored. */
const GRAIN_MS = 100;

export class Rate {
  /** @type {{timeMs: number, position: number}[]} oldest first; the first is at or before the window's begin */
  #seen = [];

  /**
   * Note a position that the log has reached.
   *
   * @param {number} timeMs never decreasing
   * @param {number} position
   */
  add(timeMs, position) {
    const last = this.#seen.at(-1);
    if (last !== undefined && this.#seen.length > 1 && timeMs - last.timeMs < GRAIN_MS) last.position = position;
    else this.#seen.push({ timeMs, position });
    while ((this.#seen[1]?.timeMs ?? Infinity) <= timeMs - WINDOW_MS) this.#seen.shift();
  }

  /**
   * Return the events a second in the window that ends now, null if it was watched for too short a time.
   *
   * @param {number} nowMs
   */
  perSecond(nowMs) {
    const [first] = this.#seen;
    if (first === undefined) return null;
    const beginMs = Math.max(nowMs - WINDOW_MS, first.timeMs);
    if (nowMs - beginMs < LEAST_MS) return null;
    const before = this.#seen.findLast(({ timeMs }) => timeMs <= beginMs) ?? first;
    const events = (this.#seen.at(-1)?.position ?? 0) - before.position;
    return (events * 1000) / (nowMs - beginMs);
  }
}
