/** Learning curves of many jobs, each in the colour of its result, over bands of those that are not drawn. */

import { h, put, s, style } from "./dom.js";
import { counted, number } from "./format.js";
import { extent, linearTicks, makeScale, resultBounds, resultColours, toNumber } from "./axis.js";
import { colourOf, density } from "./colours.js";
import { chartFrame, fit, gridLines } from "./svg.js";

const EDGE = 3; // px beside the plot, for points at its ends

/**
 * Draw `{metric, x, curves: [{label, result, x, y, href}], best (an index, -1: by result), bands: [{x, low, mid, high}]|null, left_out}`.
 *
 * `options`: `mode` (max or min; the best curve is strong), `label` of the result, `height`. Curves leave the plot where their
 * values are far worse than most; a value that is no number interrupts its line.
 */
export function learningChart(host, data, options = {}) {
  const state = { data, view: null };
  const frame = chartFrame(host, {
    kind: "learning",
    name: "Learning curves of jobs",
    height: (width) => options.height ?? (width < 500 ? 260 : 324),
    draw: (size, parts) => {
      state.view = layout(state.data, size, options);
      paint(state, parts.pen, options);
      put(parts.svg, axes(state, size, options));
      const words = summary(state, options);
      frame.say(words);
      put(parts.note, key(state, options), words);
    },
    pick: (x, y) => nearest(state, x, y),
    order: () => state.view?.order.toReversed() ?? [],
    spot: (index) => spot(state, index, options),
    href: (index) => state.data.curves[index].href ?? null,
  });
  frame.redraw();
  return {
    update(next) {
      state.data = next;
      frame.redraw();
    },
    destroy: frame.destroy,
  };
}

function layout(data, size, options) {
  const bands = data.bands ?? [];
  const results = data.curves.map((curve) => toNumber(curve.result) ?? NaN);
  const usual = resultBounds(results, options.mode) ?? [-Infinity, Infinity];
  const counts = (index) => !(results[index] < usual[0] || results[index] > usual[1]); // a curve far off presses no other together
  const ys = [...data.curves.flatMap((curve, index) => (counts(index) ? curve.y : [])), ...bands.flatMap((band) => [...band.low, ...band.high])];
  const xs = [...data.curves.flatMap((curve) => curve.x), ...bands.flatMap((band) => band.x)].filter(Number.isFinite);
  const bounds = resultBounds(ys, options.mode, 12);
  const [left, right, top, bottom] = [58, size.width - 14, 26, size.height - 40];
  const isLog = bounds && bounds[0] > 0 && bounds[1] / bounds[0] > 100;
  const yScale = makeScale(ys, isLog ? "log" : "linear", bottom, top, { ticks: Math.floor((bottom - top) / 42), bounds, pad: 0.04, clamp: false });
  const [first, last] = xs.length ? extent(xs) : [0, 1];
  const end = last > first ? last : first + 1;
  const place = (x) => left + ((x - first) / (end - first)) * (right - left);
  const marks = linearTicks(first, end, Math.max(2, Math.floor((right - left) / 95)), xs.every(Number.isInteger));
  const sign = options.mode === "min" ? -1 : 1;
  const rank = (index) => (index === data.best ? Infinity : Number.isFinite(results[index]) ? sign * results[index] : -Infinity);
  const order = results.map((_, index) => index).sort((a, b) => rank(a) - rank(b)); // the best on top
  const lines = data.curves.map((curve) => curve.x.map((x, index) => [place(x), yScale.at(curve.y[index]), index]));
  return { yScale, place, marks, lines, order, results, left, right, top, bottom };
}

function paint(state, pen, options) {
  const { view, data } = state;
  gridLines(pen, view.yScale.ticks, view.left, view.right);
  pen.save();
  pen.beginPath();
  pen.rect(view.left - EDGE, view.top, view.right - view.left + 2 * EDGE, view.bottom - view.top);
  pen.clip();
  for (const band of data.bands ?? []) paintBand(pen, view, band);
  const colours = resultColours(view.results, options.mode);
  const shown = density(data.curves.length);
  pen.lineJoin = "round";
  view.order.forEach((index, place) => {
    const best = options.mode && place === view.order.length - 1 && Number.isFinite(view.results[index]);
    pen.strokeStyle = pen.fillStyle = colours.colour(view.results[index]);
    pen.globalAlpha = best ? 1 : Math.min(1, shown * 0.85);
    pen.lineWidth = best ? 3 : 1.4;
    pen.beginPath();
    let isOn = false;
    for (const [x, y] of view.lines[index]) {
      if (y === null) isOn = false;
      else if (isOn) pen.lineTo(x, y);
      else {
        pen.moveTo(x, y);
        isOn = true;
      }
    }
    pen.stroke();
    if (view.lines[index].length === 1 && view.lines[index][0][1] !== null) pen.fillRect(view.lines[index][0][0] - 2.5, view.lines[index][0][1] - 2.5, 5, 5);
  });
  pen.restore();
}

function paintBand(pen, view, band) {
  const at = (values) => band.x.map((x, index) => [view.place(x), view.yScale.at(values[index])]).filter(([, y]) => y !== null);
  pen.fillStyle = colourOf("--ink-2");
  pen.globalAlpha = 0.16;
  pen.beginPath();
  for (const [x, y] of [...at(band.high), ...at(band.low).reverse()]) pen.lineTo(x, y);
  pen.fill();
  pen.globalAlpha = 0.7;
  pen.strokeStyle = colourOf("--ink-2");
  pen.setLineDash([4, 3]);
  pen.beginPath();
  for (const [x, y] of at(band.mid)) pen.lineTo(x, y);
  pen.stroke();
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

function axes(state, size, options) {
  const { view, data } = state;
  const better = options.mode === "min" ? " ↓ better" : options.mode === "max" ? " ↑ better" : "";
  return s("g", null,
    view.yScale.ticks.filter((tick) => tick.text).map((tick) => s("text", { class: "axis-tick", x: view.left - 6, y: tick.px + 4, "text-anchor": "end" }, tick.text)),
    s("line", { class: "axis-line", x1: view.left, x2: view.right, y1: view.bottom, y2: view.bottom }),
    view.marks.map((tick) => s("g", null, s("line", { class: "axis-line", x1: view.place(tick.at), x2: view.place(tick.at), y1: view.bottom, y2: view.bottom + 4 }),
      s("text", { class: "axis-tick", x: view.place(tick.at), y: view.bottom + 16, "text-anchor": "middle" }, tick.text))),
    s("text", { class: "axis-title", x: 4, y: 13 }, fit(`${data.metric}${view.yScale.kind === "log" ? " (log)" : ""}${better}`, size.width - 20)),
    s("text", { class: "axis-title", x: (view.left + view.right) / 2, y: size.height - 6, "text-anchor": "middle" }, { step: "step", epoch: "epoch", time: "seconds" }[data.x] ?? data.x));
}

function nearest(state, x, y) {
  const { view } = state;
  let found = -1;
  let least = 14;
  state.near = null;
  view?.lines.forEach((line, index) => {
    for (let at = 0; at < line.length; at++) {
      const [px, py] = line[at];
      if (py === null) continue;
      const [nx, ny] = line[at + 1]?.[1] === null ? line[at] : (line[at + 1] ?? line[at]);
      if (x < px - 12 || x > nx + 12) continue;
      const part = nx > px ? Math.min(1, Math.max(0, (x - px) / (nx - px))) : 0;
      const far = Math.hypot(px + (nx - px) * part - x, py + (ny - py) * part - y);
      if (far < least) {
        [found, least] = [index, far];
        state.near = part < 0.5 ? at : Math.min(at + 1, line.length - 1);
      }
    }
  });
  return found;
}

function spot(state, index, options) {
  const { view, data } = state;
  const curve = data.curves[index];
  const line = view.lines[index];
  const at = Math.min(state.near ?? line.length - 1, line.length - 1);
  const points = line.filter(([, y]) => y !== null).map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  const lines = [curve.label, `${options.label ?? "result"} ${number(curve.result) || "none"}`];
  if (at >= 0) lines.push(`${data.metric} ${number(curve.y[at])} at ${data.x} ${number(curve.x[at])}`);
  const [x, y] = line[at] ?? [view.left, view.top];
  const [width, height] = [view.right - view.left + 2 * EDGE, view.bottom - view.top];
  const plot = { x: view.left - EDGE, y: view.top, width, height, viewBox: `${view.left - EDGE} ${view.top} ${width} ${height}` }; // an SVG in an SVG shows nothing beside it
  const mark = s("svg", plot, s("polyline", { class: "hover-back", points }), s("polyline", { class: "hover-line", points }));
  return { x, y: Math.min(Math.max(y ?? view.bottom, view.top), view.bottom), lines, mark, free: true };
}

/** The colours and their values. */
function key(state, options) {
  const known = state.view.results.filter(Number.isFinite);
  if (known.length < 2) return null;
  const colours = resultColours(known, options.mode);
  if (colours.low === colours.high) return null;
  const steps = Array.from({ length: 12 }, (_, index) => colours.low + ((index + 0.5) / 12) * (colours.high - colours.low));
  return h("span", { class: "ramp" }, `${options.mode === "max" && colours.beyond ? "≤ " : ""}${number(colours.low)}`, h("span", { class: "ramp-colours", "aria-hidden": "true" }, steps.map((value) => style(h("i", null), { background: colours.colour(value) }))), `${options.mode === "min" && colours.beyond ? "≥ " : ""}${number(colours.high)}`);
}

function summary(state, options) {
  const { data, view } = state;
  const count = counted(data.curves.length, "curve");
  const best = view.order.at(-1);
  const words = [`${count} of ${data.metric}, coloured by ${options.label ?? "result"}`];
  if (best !== undefined && Number.isFinite(view.results[best]) && options.mode) words.push(`the best is ${data.curves[best].label} with ${number(view.results[best])}`);
  const { beyond, low, high } = view.yScale;
  if (data.curves.some((curve) => curve.y.some(beyond))) words.push(options.mode === "min" ? `values over ${number(high)} lie outside` : `values below ${number(low)} lie outside`);
  if (data.left_out) words.push(data.bands?.length ? `${counted(data.left_out, "more job")} lie in the grey band (the middle 80 %, dashed: the median)` : `${counted(data.left_out, "more job")} left out`);
  return `${words.join("; ")}.`;
}
