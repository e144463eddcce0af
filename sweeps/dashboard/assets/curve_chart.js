/**
 * Learning curves: many lines on one x, smoothed, with bands over seeds. uPlot draws; the legend is ours: it shows the values
 * under the pointer, a line near it is marked in both, and a click hides one. Dragging zooms along x, a double click shows all.
 */

import { add, h, oncePerFrame, put, style } from "./dom.js";
import { chartTable } from "./chart_table.js";
import { colourOf, density, seriesDash, seriesPaint } from "./colours.js";
import { aligned, band, bounded, nearest, positive, smoothed } from "./curve_points.js";
import { columnDecimals, duration, exact, fixed, number } from "./format.js";
import { PAPER, isPaper, onPaper } from "./paper.js";
import { plotLibrary } from "./plot_library.js";
import { onTheme } from "./theme.js";

const FEW = 8; // so many smoothed lines have the measured one behind them
const NEAR = 30; // pixels from the pointer within which a line is marked
const POINTS = 40; // so few points of a curve are shown as dots
const WHOLE = [1, 2, 5].flatMap((one) => Array.from({ length: 13 }, (_, power) => one * 10 ** power)).sort((a, b) => a - b); // steps of steps
const HUGE_FROM = 1e15; // values for whose ticks uPlot has no steps of its own
const HUGE = Array.from({ length: 302 }, (_, power) => [1, 2, 5].map((one) => Number(`${one}e${power}`))).flat();
const MARGINS = 50; // px beside a chart on paper
const LISTED = 60; // entries of the legend

/**
 * Draw curves into `host`. `data`: {curves: [{key, label, x, y, colour, href, group, marks}]}: `colour` is the number of a series
 * colour or CSS (default: its place), `marks` are [x, "NaN"] where a value was not finite, `unmarked` how many more there are, curves of one `group` are seeds of one candidate.
 * `data.bands`: [{x, low, mid, high, label}] that are drawn as they are.
 * Options: `height` (280), `label` (what the chart is, for those who cannot see it), `x`: "step" | "epoch" | "time", `logX`, `logY`, `smooth` (0..1), `bands`: true draws groups as mean and
 * min to max, `onHover(key)`, `legend` (true), `yLabel`. Returns {update(data, options), focus(key), destroy()}.
 */
export function curveChart(host, data, options = {}) {
  const chart = new CurveChart(host, data, options);
  return {
    update: (next, changes) => chart.update(next, changes),
    focus: (key) => chart.focus(key),
    destroy: () => chart.destroy(),
  };
}

class CurveChart {
  constructor(host, data, options) {
    this.data = data;
    this.options = { height: 280, label: "Curves", x: "step", smooth: 0, legend: true, ...options };
    this.hidden = new Set();
    this.zoomed = false;
    this.canvas = h("div", { class: "curve-plot", role: "img", "aria-label": `${this.options.label}, not drawn yet` });
    this.note = h("p", { class: "hint", hidden: true });
    this.legend = h("div", { class: "legend" });
    this.values = chartTable(() => this.tableOfLines());
    this.box = h("div", { class: "curve-chart" }, this.canvas, this.note, this.legend, this.values.node);
    add(host, this.box);
    this.later = oncePerFrame(() => this.draw());
    this.hover = oncePerFrame(() => this.showValues());
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.canvas);
    this.stops = [onTheme(() => this.rebuild()), onPaper(() => this.rebuild().now())];
    this.draw();
  }

  update(data, changes = {}) {
    this.data = data;
    const before = JSON.stringify([this.options.logX, this.options.logY, this.options.x, this.options.height]);
    Object.assign(this.options, changes);
    if (before !== JSON.stringify([this.options.logX, this.options.logY, this.options.x, this.options.height])) this.zoomed = false;
    this.later();
  }

  destroy() {
    this.later.cancel();
    this.hover.cancel();
    this.observer.disconnect();
    for (const stop of this.stops) stop();
    this.plot?.destroy();
    this.box.remove();
  }

  focus(key) {
    const at = this.lines.findIndex((line) => line.key === key);
    this.plot?.setSeries(at < 0 ? null : this.lines[at].series, { focus: true });
  }

  // ---- drawing

  rebuild() {
    this.plot?.destroy();
    this.plot = null;
    this.later();
    return this.later;
  }

  width() {
    const width = this.canvas.clientWidth;
    return isPaper() ? Math.min(width, PAPER - MARGINS) : width;
  }

  resized() {
    const width = this.width();
    if (this.plot && width && Math.abs(width - this.plot.width) >= 1) this.plot.setSize({ width, height: this.options.height });
    else if (!this.plot) this.later();
  }

  draw() {
    const width = this.width();
    if (!width) return;
    if (!window.uPlot) {
      plotLibrary().then(() => this.later(), (error) => console.error(error));
      return;
    }
    const { series, bands, columns } = this.prepared();
    const layout = JSON.stringify([series.map(({ label, stroke, dash, width: w, points, show }) => [label, stroke, dash, w, points?.show, show]), bands.map((one) => one.series), this.isHuge(), this.options.logX, this.options.logY, this.options.x, this.options.height]);
    if (this.plot && layout === this.layout) this.redrawn(columns);
    else {
      const range = this.zoomed && this.plot ? { min: this.plot.scales.x.min, max: this.plot.scales.x.max } : null;
      this.plot?.destroy();
      this.layout = layout;
      this.canvas.replaceChildren();
      this.plot = new uPlot(this.settings(width, series, bands), columns, this.canvas);
      if (range) this.plot.setScale("x", range);
    }
    this.describe();
    this.drawLegend();
    this.values.refresh();
  }

  redrawn(columns) {
    if (!this.zoomed) {
      this.plot.setData(columns);
      return;
    }
    const { min, max } = this.plot.scales.x;
    this.plot.setData(columns, false);
    this.plot.setScale("x", { min, max });
  }

  /** Work out what uPlot is given: a first column of x, and a column for each line and each border of a band. */
  prepared() {
    const { smooth, logX, logY, bands: asBands } = this.options;
    this.curves = bounded(this.data.curves);
    const { curves, dropped } = positive(this.curves, { x: logX, y: logY });
    this.say(dropped);
    const groups = asBands ? grouped(curves) : null;
    const sources = [];
    const series = [{}];
    const bands = [];
    this.lines = [];
    const push = (points, settings) => {
      sources.push(points);
      series.push({ spanGaps: false, points: { show: false }, ...settings });
      return series.length - 1;
    };
    const line = (source, key, index, points) => {
      const colour = this.colour(source, index);
      const values = { x: points.x, y: smoothed(points.y, smooth) };
      const place = push(values, { label: source.label, stroke: faint(colour, density(curves.length / 2)), width: 1.6, dash: this.dash(source, index), points: { show: points.x.length <= POINTS, size: 5, fill: colour }, show: !this.hidden.has(key) });
      this.lines.push({ key, label: source.label, href: source.href, colour, dash: this.dash(source, index), series: place, source: values, count: source.count });
    };
    const borders = (one, colour, show) => {
      const low = push({ x: one.x, y: one.low }, { label: "", stroke: "transparent", width: 0, show });
      const high = push({ x: one.x, y: one.high }, { label: "", stroke: "transparent", width: 0, show });
      bands.push({ series: [high, low], fill: faint(colour, 0.18) });
    };
    for (const one of this.data.bands || []) borders(one, this.colour(one, 0), true);
    if (groups) {
      groups.forEach((group, index) => {
        const made = band(group.curves.map((curve) => ({ x: curve.x, y: smoothed(curve.y, smooth) })));
        const source = { ...group.curves[0], label: group.label, count: group.curves.length, colour: index };
        if (group.curves.length > 1) borders(made, this.colour(source, index), !this.hidden.has(group.key));
        line(source, group.key, index, { x: made.x, y: made.mid });
        this.lines[this.lines.length - 1].source = { x: made.x, y: made.mid };
      });
    } else {
      if (smooth && curves.length <= FEW) curves.forEach((curve, index) => push(curve, { label: "", stroke: faint(this.colour(curve, index), 0.25), width: 1, show: !this.hidden.has(curve.key) }));
      curves.forEach((curve, index) => line(curve, curve.key, index, curve));
    }
    const { x, ys } = aligned(sources);
    return { series, bands, columns: [x, ...ys] };
  }

  isHuge() {
    return this.curves.some((curve) => curve.y.some((value) => value > HUGE_FROM || value < -HUGE_FROM));
  }

  colour(source, index) {
    const { colour = index } = source;
    return typeof colour === "number" ? seriesPaint(colour) : colour;
  }

  dash(source, index) {
    const { colour = index } = source;
    return typeof colour === "number" ? seriesDash(colour) : [];
  }

  settings(width, series, bands) {
    const ink = colourOf("--ink-2");
    const grid = { stroke: colourOf("--paper-3"), width: 1 };
    const font = `12px ${getComputedStyle(this.box).fontFamily}`;
    const axis = { stroke: ink, grid, font, ticks: { ...grid, size: 5 } };
    const time = this.options.x === "time";
    return {
      width,
      height: this.options.height,
      series,
      bands,
      padding: [8, 14, 0, 0],
      legend: { show: false },
      cursor: { focus: { prox: NEAR, dist: (plot, place, index, value, pointer) => (this.lines.some((line) => line.series === place) ? value - pointer : Infinity) }, points: { size: 6 }, drag: { x: true, y: false, setScale: true }, dataIdx: (plot, place, index, at) => this.indexOf(plot, place, index, at) },
      focus: { alpha: 0.25 },
      scales: { x: { time: false, distr: this.options.logX ? 3 : 1, range: (plot, low, high) => (low === null ? [0, 1] : spread(low, high, this.options.logX)) }, y: { distr: this.options.logY ? 3 : 1, range: (plot, low, high) => heightOf(low, high, this.options.logY) } },
      axes: [
        { ...axis, size: 34, space: 70, incrs: time || this.options.logX ? undefined : WHOLE, values: (plot, places, axisNumber, space, step) => places.map((place) => (place === null ? "" : time ? duration(place) : tick(place, step))) },
        { ...axis, incrs: this.isHuge() && !this.options.logY ? HUGE : undefined, size: (plot, values) => 16 + 7 * Math.max(3, ...(values || []).map((value) => (value || "").length)), values: (plot, places, axisNumber, space, step) => places.map((place) => (place === null ? "" : tick(place, this.options.logY ? 0 : step))) },
      ],
      hooks: {
        setCursor: [() => this.hover()],
        setSeries: [(plot, place) => this.marked(place)],
        setSelect: [(plot) => (this.zoomed = plot.select.width > 0 || this.zoomed)],
        ready: [(plot) => plot.over.addEventListener("dblclick", () => (this.zoomed = false))],
        draw: [(plot) => this.drawMarks(plot)],
      },
    };
  }

  // Where a curve has no point at the pointer, its nearest one counts.
  indexOf(plot, place, index) {
    if (place === 0 || plot.data[place][index] !== undefined) return index;
    const values = plot.data[place];
    for (let step = 1; step < values.length; step += 1) {
      if (values[index - step] !== undefined && index - step >= 0) return index - step;
      if (values[index + step] !== undefined && index + step < values.length) return index + step;
    }
    return index;
  }

  // A value that was not finite: a small mark at the lower edge.
  drawMarks(plot) {
    const context = plot.ctx;
    const ratio = devicePixelRatio;
    const bottom = plot.bbox.top + plot.bbox.height;
    this.curves.forEach((curve, index) => {
      if (!curve.marks?.length || this.hidden.has(curve.key)) return;
      context.fillStyle = this.colour(curve, index);
      for (const [x] of curve.marks) {
        const at = plot.valToPos(x, "x", true);
        if (!(at >= plot.bbox.left && at <= plot.bbox.left + plot.bbox.width)) continue;
        context.beginPath();
        context.moveTo(at, bottom - 7 * ratio);
        context.lineTo(at + 4 * ratio, bottom);
        context.lineTo(at - 4 * ratio, bottom);
        context.fill();
      }
    });
  }

  // ---- words

  say(dropped) {
    const lost = this.curves.reduce((sum, curve) => sum + (curve.marks?.length || 0) + (curve.unmarked || 0), 0);
    const words = [dropped ? `${dropped} points are not above zero and have no place on a logarithmic axis.` : "", lost ? `▲ marks where a value was not finite, or too large to draw (${lost}).` : ""].filter(Boolean).join(" ");
    this.note.textContent = words;
    this.note.hidden = !words;
  }

  describe() {
    const shown = this.lines.filter((line) => !this.hidden.has(line.key));
    const ends = shown.slice(0, 12).map((line) => `${line.label} ends at ${number(lastOf(line.source.y))}`);
    this.canvas.dataset.points = String(this.data.curves.reduce((sum, curve) => sum + curve.x.length, 0));
    this.canvas.setAttribute("aria-label", `${this.options.label}: ${shown.length === 1 ? "1 line" : `${shown.length} lines`}. ${ends.join("; ")}`);
  }

  tableOfLines() {
    const rows = this.lines.map(({ label, source: { x, y } }) => {
      const known = y.filter((value) => value !== null && value !== undefined);
      const [low, high] = known.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
      return [label, number(known.length), ...(known.length ? [known[0], known.at(-1), low, high].map((value) => number(value)) : ["", "", "", ""]), x.length ? number(x.at(-1)) : ""];
    });
    return { caption: this.options.label, heads: ["line", "points", "first", "last", "lowest", "highest", `last ${this.options.x}`], rows };
  }

  drawLegend() {
    this.legend.hidden = !this.options.legend;
    if (!this.options.legend) return;
    const shape = JSON.stringify(this.lines.map((line) => [line.key, line.label, line.colour, line.dash.length, this.hidden.has(line.key), line.count]));
    if (shape !== this.legendShape) {
      this.legendShape = shape;
      this.items = this.lines.slice(0, LISTED).map((line) => this.legendItem(line));
      this.place = h("span", { class: "hint tabular" });
      put(this.legend, this.items.map((item) => item.element), this.place, this.lines.length > LISTED && h("span", { class: "hint" }, `and ${this.lines.length - LISTED} more`));
    }
    this.showValues();
  }

  legendItem(line) {
    const value = h("span", { class: "value" });
    const swatch = style(h("span", { class: `swatch ${["", "dashed", "dotted"][line.dash.length ? (line.dash[0] > 3 ? 1 : 2) : 0]}`, "aria-hidden": "true" }), { "--swatch": line.colour });
    const element = h(
      "button",
      { type: "button", class: "legend-item", "aria-pressed": String(!this.hidden.has(line.key)), title: `${line.label}: click to hide or show${line.href ? ", double click to open" : ""}`, onclick: () => this.toggle(line.key), ondblclick: () => line.href && (location.hash = line.href), onpointerenter: () => this.pointed(line.key), onpointerleave: () => this.pointed(null), onfocus: () => this.pointed(line.key), onblur: () => this.pointed(null) },
      swatch,
      h("span", { class: "name" }, line.label),
      line.count > 1 ? h("span", { class: "quiet-text" }, `×${line.count}`) : null,
      value,
    );
    return { key: line.key, element, value };
  }

  toggle(key) {
    if (!this.hidden.delete(key)) this.hidden.add(key);
    this.later();
  }

  pointed(key) {
    this.focus(key);
    this.options.onHover?.(key);
  }

  marked(place) {
    const line = this.lines?.find((one) => one.series === place);
    for (const item of this.items || []) item.element.classList.toggle("near", Boolean(line) && item.key === line.key);
    if (line?.key !== this.near) {
      this.near = line?.key;
      this.options.onHover?.(this.near || null);
    }
  }

  // The values under the pointer, else the last ones.
  showValues() {
    if (!this.plot || !this.items) return;
    const at = this.plot.cursor.left >= 0 ? this.plot.posToVal(this.plot.cursor.left, "x") : null;
    const values = this.items.map((item, index) => {
      const { x, y } = this.lines[index].source;
      return at === null ? lastOf(y) : y[nearest(x, at)];
    });
    const { x } = this.options;
    this.place.textContent = at === null ? "" : `at ${x} ${x === "time" ? duration(at) : number(this.plot.data[0][this.plot.cursor.idx] ?? at)}`;
    const decimals = columnDecimals(values);
    this.items.forEach((item, index) => {
      const value = values[index];
      const words = value === null || value === undefined ? "–" : fixed(value, decimals);
      if (item.value.textContent !== words) {
        item.value.textContent = words;
        item.value.title = exact(value);
      }
    });
  }
}

function grouped(curves) {
  const groups = new Map();
  for (const curve of curves) {
    const key = curve.group ?? curve.key;
    if (!groups.has(key)) groups.set(key, { key, label: curve.groupLabel || curve.label, curves: [] });
    groups.get(key).curves.push(curve);
  }
  return [...groups.values()];
}

function lastOf(values) {
  for (let index = values.length - 1; index >= 0; index -= 1) if (values[index] !== null && values[index] !== undefined) return values[index];
  return null;
}

// As many digits as the ticks need to differ.
function tick(value, step) {
  if (!step || (value !== 0 && Math.abs(value) < 1e-4) || Math.abs(value) >= 1e6) return number(value);
  const digits = Math.min(8, Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step.toExponential().startsWith("2.5") ? 1 : 0)));
  return value.toFixed(digits);
}

function heightOf(low, high, log) {
  if (low === null) return [0, 1];
  if (log) return low === high ? [low / 2, high * 2] : uPlot.rangeLog(low, high, 10, false);
  if (low === high) return [low - (Math.abs(low) || 1) / 10, high + (Math.abs(high) || 1) / 10];
  const room = (high - low) * 0.06;
  return [low - room, high + room];
}

function spread(low, high, log) {
  if (low !== high) return [low, high];
  return log ? [low / 2, high * 2] : [low - 1, high + 1];
}

function faint(colour, opacity) {
  if (opacity >= 1) return colour;
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (hex) return `rgba(${hex.slice(1).map((one) => Number.parseInt(one, 16)).join(",")},${opacity})`;
  return `color-mix(in srgb, ${colour} ${Math.round(opacity * 100)}%, transparent)`;
}
