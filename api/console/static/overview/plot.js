/** The pixels of a chart: uPlot with the colours of the page, drawn again when its size or the colour scheme changes. */

import uPlot from "../vendor/uplot.js";
import { startOf } from "./activity.js";

/**
 * @typedef {object} Series
 * @property {string} title
 * @property {string} colour name of a custom property
 * @property {number[]} dash lengths of strokes and gaps; none for a solid line
 * @property {number[]} values for the pixels alone
 * @property {string[]} texts the exact values
 */

const HEIGHT = 200;
/** Between the lines of an axis: whole numbers, since there is no half an item. */
const STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();
const FONT = "12px system-ui, sans-serif";
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

export class Plot {
  #host;
  #onHover;
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {{days: string[], series: Series[]}} */
  #shown = { days: [], series: [] };
  #resized = new ResizeObserver(() => this.#fit());
  #scheme = matchMedia("(prefers-color-scheme: dark)");

  /**
   * @param {HTMLElement} host an empty element, which the plot fills
   * @param {(index: number | null) => void} onHover called with the day that is pointed at
   */
  constructor(host, onHover) {
    this.#host = host;
    this.#onHover = onHover;
    this.#resized.observe(host);
    this.#scheme.addEventListener("change", this.#draw);
  }

  /**
   * @param {string[]} days
   * @param {Series[]} series
   */
  show(days, series) {
    this.#shown = { days, series };
    this.#draw();
  }

  remove() {
    this.#resized.disconnect();
    this.#scheme.removeEventListener("change", this.#draw);
    this.#plot?.destroy();
    this.#plot = null;
  }

  #fit() {
    const width = this.#host.clientWidth;
    if (this.#plot !== null && width > 0 && this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
  }

  #draw = () => {
    const { days, series } = this.#shown;
    this.#plot?.destroy();
    const seconds = days.map((day) => startOf(day) / 1000);
    const data = /** @type {uPlot.AlignedData} */ ([seconds, ...series.map(({ values }) => values)]);
    this.#plot = new uPlot(this.#options(series), data, this.#host);
  };

  /**
   * @param {Series[]} series
   * @returns {uPlot.Options}
   */
  #options(series) {
    const axis = {
      font: FONT,
      stroke: resolved(this.#host, "--muted"),
      grid: { stroke: resolved(this.#host, "--line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.#host.clientWidth || 300,
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false, setScale: false }, y: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { y: { range: (_, least, most) => rangeOf(least, most) } },
      axes: [
        { ...axis, size: 30, space: 64, values: (_, ticks) => ticks.map((tick) => DAY.format(tick * 1000)) },
        { ...axis, size: 60, incrs: STEPS, values: (_, ticks) => ticks.map((tick) => COMPACT.format(tick)) },
      ],
      series: [
        {},
        ...series.map(({ title, colour: name, dash }) => ({
          label: title,
          stroke: resolved(this.#host, name),
          width: 2,
          dash,
          points: { size: 6 },
        })),
      ],
      hooks: { setCursor: [(plot) => this.#onHover(plot.cursor.idx ?? null)] },
    };
  }
}

/**
 * Return the colour that a custom property has in the current scheme: a canvas knows no `light-dark()`.
 *
 * @param {HTMLElement} host
 * @param {string} name
 */
function resolved(host, name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  host.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/**
 * Return the range of an axis: with zero, so that heights compare, and never empty.
 *
 * @param {number} least
 * @param {number} most
 * @returns {[number, number]}
 */
function rangeOf(least, most) {
  const low = Math.min(least ?? 0, 0);
  const high = Math.max(most ?? 0, 0);
  if (low === high) return [0, 1];
  const margin = (high - low) * 0.05;
  return [low === 0 ? 0 : low - margin, high === 0 ? 0 : high + margin];
}
