/** The days of `GET /activity`, without gaps: a day that the service leaves out has the totals of the day before. */

const DAY_MS = 86_400_000;

/** The ranges to choose from, by their number of days. */
export const RANGES = [31, 90, 365];

/**
 * @typedef {object} Day
 * @property {string} day
 * @property {number} created
 * @property {number} changed
 * @property {number} deleted
 * @property {number} restored
 * @property {number} alive items at the end of the day
 * @property {string} stock_value exact
 */

/**
 * Return every day of a range, the oldest first.
 *
 * @param {Day[]} known newest first, as the API lists them: those of the range, and the one before it if there is one
 * @param {string} last the last day of the range
 * @param {number} count
 * @returns {Day[]}
 */
export function everyDay(known, last, count) {
  const byDay = new Map(known.map((day) => [day.day, day]));
  const first = addDays(last, 1 - count);
  const before = known.find(({ day }) => day < first);
  let { alive, stock_value: value } = before ?? { alive: 0, stock_value: "0" };
  return Array.from({ length: count }, (_, number) => {
    const day = addDays(first, number);
    const found = byDay.get(day);
    if (found !== undefined) ({ alive, stock_value: value } = found);
    return found ?? { day, created: 0, changed: 0, deleted: 0, restored: 0, alive, stock_value: value };
  });
}

/**
 * Return the day so many days later.
 *
 * @param {string} day
 * @param {number} count
 */
export function addDays(day, count) {
  return new Date(startOf(day) + count * DAY_MS).toISOString().slice(0, 10);
}

/** Return when a UTC day begins, in milliseconds. @param {string} day */
export function startOf(day) {
  return Date.parse(`${day}T00:00:00Z`);
}

/**
 * Return the UTC day of an answer by the service's clock, or by the browser's if the answer has no date.
 *
 * @param {Headers} headers
 */
export function dayOf(headers) {
  const time = Date.parse(headers.get("date") ?? "");
  return new Date(Number.isNaN(time) ? Date.now() : time).toISOString().slice(0, 10);
}
