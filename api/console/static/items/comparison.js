/** What happened to the items of a page between two moments, for any filter and order: each item is looked up by its id. */

import { Loader } from "../app/element.js";
import { differences, isDeletion, lastEvent, stateAfter, stateAt } from "./item_state.js";

/**
 * @typedef {import("./item_state.js").Item} Item
 * @typedef {object} Mark
 * @property {"created" | "changed" | "deleted" | "restored" | "same"} kind
 * @property {Item=} other the item at the other moment, if it exists there and differs
 * @property {number=} position of the item's last event, if that is after the earlier moment
 */

/** As many as a browser's connections to one host over HTTP/1.1. */
const CONCURRENT = 6;
/** The time without another request after which the rows are looked up: dragging the slider must not ask for each. */
const QUIET_MS = 300;

/** Looks up what happened to the items of a list, and renders its element again as it finds out. */
export class Comparison {
  /** @type {Map<number, Mark>} by the item's id */
  marks = new Map();
  #host;

  /** @param {import("lit").ReactiveControllerHost} host */
  constructor(host) {
    this.#host = host;
    /** @type {Loader<void>} */
    this.loader = new Loader(host);
  }

  /** Forget all marks, and abort what is being looked up. */
  clear() {
    this.loader.clear();
    this.marks = new Map();
  }

  /** @param {import("./list.js").ItemList} list */
  async run({ items, moment, head, earlier }) {
    this.clear();
    const { marks } = this;
    await this.loader.run(async (signal) => {
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      const waiting = [...items];
      const work = async () => {
        for (let item = waiting.shift(); item && !signal.aborted; item = waiting.shift()) {
          const mark = await (earlier === null
            ? sinceThen(item, moment.position, head, signal)
            : beforeNow(item, earlier.position, head, signal));
          marks.set(item.id, mark);
          this.#host.requestUpdate();
        }
      };
      await Promise.all(Array.from({ length: CONCURRENT }, work));
    });
  }
}

/**
 * Describe what happened since the earlier moment to an item that existed then.
 *
 * @param {Item} then
 * @param {number} earlier
 * @param {number} later
 * @param {AbortSignal} signal
 * @returns {Promise<Mark>}
 */
async function sinceThen(then, earlier, later, signal) {
  const event = await lastEvent(then.id, later, signal);
  if (event.position <= earlier) return { kind: "same" };
  if (isDeletion(event)) return { kind: "deleted", position: event.position };
  const { item } = await stateAfter(event, signal);
  return changed(then, /** @type {Item} */ (item), event.position);
}

/**
 * Describe what is new about an item that exists at the later moment.
 *
 * @param {Item} now
 * @param {number} earlier
 * @param {number} later
 * @param {AbortSignal} signal
 * @returns {Promise<Mark>}
 */
async function beforeNow(now, earlier, later, signal) {
  if (now.id > earlier) return { kind: "created", position: now.id }; // an id is the position of the creation
  const event = await lastEvent(now.id, later, signal);
  if (event.position <= earlier) return { kind: "same" };
  const { item } = await stateAt(now.id, earlier, signal);
  return item === null ? { kind: "restored", position: event.position } : changed(item, now, event.position, item);
}

/**
 * @param {Item} then
 * @param {Item} now
 * @param {number} position
 * @param {Item=} other
 * @returns {Mark}
 */
function changed(then, now, position, other = now) {
  return differences(then, now).length === 0 ? { kind: "same", position } : { kind: "changed", other, position };
}
