/** Pages of the history. A page scans a part of the log, so it can be short or empty, and more can follow. */

import { get } from "../app/api.js";

export const PAGE_ROWS = 50;
/** The scan goes on by itself for so many pages; then the user decides. */
const MAX_PAGES = 20;

/**
 * @typedef {object} Scan
 * @property {any[]} events newest first, at most a page of them
 * @property {URLSearchParams | null} next where the next page begins, null at the end of the history
 * @property {number} position the end of the log that the first answer reflects
 * @property {boolean} scanning whether more is being read
 */

/**
 * Read events, newest first, until a page is full, the history ends, or enough was scanned.
 *
 * @param {URLSearchParams} filters
 * @param {AbortSignal} signal its abort fails the scan
 * @param {AbortSignal} cancel its abort ends the scan with what was found so far
 * @param {(scan: Scan) => void} report called after each page
 * @returns {Promise<Scan>}
 */
export async function scanEvents(filters, signal, cancel, report) {
  /** @type {Scan} */
  let scan = { events: [], next: null, position: 0, scanning: true };
  let params = new URLSearchParams(filters);
  const either = AbortSignal.any([signal, cancel]);
  for (let page = 1; scan.scanning; page++) {
    params.set("sort", "-position");
    params.set("limit", String(PAGE_ROWS - scan.events.length));
    let answer;
    try {
      answer = await get("events", { params, signal: either });
    } catch (error) {
      if (cancel.aborted && !signal.aborted && page > 1) return { ...scan, scanning: false };
      throw error;
    }
    const events = [...scan.events, ...answer.data];
    const scanning = answer.next !== null && events.length < PAGE_ROWS && page < MAX_PAGES && !cancel.aborted;
    scan = { events, next: answer.next, position: page === 1 ? (answer.position ?? 0) : scan.position, scanning };
    report(scan);
    params = new URLSearchParams(answer.next ?? params);
  }
  return scan;
}
