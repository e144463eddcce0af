/** Points of one value against another, and a small picture of the result against every setting. */

import { h, put, s } from "./dom.js";
import { number, text } from "./format.js";
import { bestIndex, guessScale, isFiniteValue, makeScale, resultBounds, resultColours, toNumber } from "./axis.js";
import { colourOf, density } from "./colours.js";
import { chartFrame, fit, gridLines } from "./svg.js";

const NEAR = 14; // px around the pointer

/**
 * Draw `{labels, x: column, y: column, colour: column|null, mode: "max|min"|null, best, hrefs}`; a column is `{label, scale, values}`.
 *
 * With a `mode` the best by y is ringed, or the one at the index `best`, and values far worse than the median lie at the
 * edge. Points without a y are crosses on the lower edge, points without an x stand at the left. `options`: `height`,
 * `plain` (no note). `bestWord` is what the note calls the ringed point.
 */
export function scatterChart(host, data, options = {}) {
  const state = { data, options, view: null };
  const frame = chartFrame(host, {
    kind: "scatter",
    name: "One value against another",
    height: (width) => options.height ?? Math.min(360, Math.max(220, width * 0.6)),
    draw: (size, parts) => {
      state.view = layout(state.data, size, options);
      paint(state, parts.pen);
      put(parts.svg, axes(state, size));
      const words = summary(state);
      frame.say(words);
      parts.note.hidden = Boolean(options.plain);
      put(parts.note, options.plain ? "" : words);
    },
    pick: (x, y) => nearest(state.view, x, y),
    order: () => (state.view ? state.view.order : []),
    spot: (index) => spot(state, index),
    href: (index) => state.data.hrefs?.[index] ?? null,
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

/**
 * Draw the result against every column of a table that has two values, most important first (`options.share`).
 *
 * All pictures have the same height of the result, so that they can be read across.
 */
export function slicesChart(host, table, options = {}) {
  const grid = h("div", { class: "slices" });
  host.replaceChildren(grid);
  const charts = new Map();
  const show = (next) => {
    const share = options.share ?? {};
    const columns = next.columns.filter((column) => new Set(column.values.map(text)).size > 1);
    const most = columns.toSorted((a, b) => (share[b.key] ?? -1) - (share[a.key] ?? -1)).slice(0, options.most ?? 24);
    for (const [key, kept] of charts) {
      if (most.some((column) => column.key === key)) continue;
      kept.chart.destroy();
      kept.place.remove();
      charts.delete(key);
    }
    for (const column of most) {
      const part = share[column.key];
      const title = part === undefined ? column.label : `${column.label} · ${part > 0 && part < 0.01 ? "< 1" : Math.round(part * 100)} %`;
      const data = { labels: next.labels, x: { ...column, label: title }, y: next.result, colour: null, mode: next.result.mode, best: next.best, hrefs: next.hrefs };
      const known = charts.get(column.key);
      const place = known?.place ?? h("div", { class: "slice" });
      grid.append(place); // in the order of importance
      if (known) known.chart.update(data);
      else charts.set(column.key, { place, chart: scatterChart(place, data, { height: 190, plain: true }) });
    }
  };
  show(table);
  return {
    update: show,
    destroy() {
      for (const { chart } of charts.values()) chart.destroy();
      grid.remove();
    },
  };
}

function layout(data, size, options) {
  const { x, y, mode } = data;
  const bounds = resultBounds(y.values, mode ?? null);
  const lacksX = x.values.some((value) => value === null || value === undefined || (toNumber(value) !== undefined && !isFiniteValue(value)));
  const lacksY = y.values.some((value) => !isFiniteValue(value));
  const [top, bottom] = [options.plain ? 22 : 26, size.height - (options.plain ? 36 : 42) - (lacksY ? 18 : 0)];
  const [left, right] = [54 + (lacksX ? 40 : 0), size.width - 14];
  const yKind = (y.scale ?? guessScale(y.values)) === "log" && bounds?.[0] > 0 ? "log" : "linear";
  const yScale = makeScale(y.values, yKind, bottom, top, { ticks: Math.max(3, Math.floor((bottom - top) / 45)), bounds, pad: 0.05 });
  const xScale = makeScale(x.values, x.scale ?? guessScale(x.values), left, right, { ticks: Math.max(2, Math.floor((right - left) / 52)), pad: 0.04, apart: 30 });
  const spread = xScale.kind === "category" ? Math.min(0.32 * xScale.step, 26) : lacksX ? 8 : 0;
  const count = data.labels.length;
  const [xs, ys] = [new Float32Array(count), new Float32Array(count)];
  const order = [];
  for (let index = 0; index < count; index++) {
    const at = xScale.at(x.values[index]);
    const free = spread * (((index * 0.618034) % 1) * 2 - 1); // even, and the same each time
    xs[index] = at === null ? left - 30 + free / 4 : at + (xScale.kind === "category" ? free : 0);
    ys[index] = yScale.at(y.values[index]) ?? bottom + 10;
    order.push(index);
  }
  order.sort((a, b) => xs[a] - xs[b]);
  const best = mode ? (data.best ?? bestIndex(y.values, mode)) : -1;
  return { xScale, yScale, xs, ys, order, best, left, right, top, bottom, lacksX, lacksY };
}

function paint(state, pen) {
  const { view, data } = state;
  const count = data.labels.length;
  gridLines(pen, view.yScale.ticks, view.lacksX ? view.left - 44 : view.left, view.right);
  const radius = count > 2000 ? 1.7 : count > 300 ? 2.5 : 3.5;
  const colour = data.colour ? resultColours(data.colour.values, data.mode) : data.mode ? resultColours(data.y.values, data.mode) : null;
  const source = data.colour ?? data.y;
  const accent = colourOf("--accent");
  pen.globalAlpha = Math.max(0.25, 0.9 * density(count / 3));
  for (let index = 0; index < count; index++) {
    if (!isFiniteValue(data.y.values[index])) cross(pen, view.xs[index], view.ys[index]);
    else dot(pen, view.xs[index], view.ys[index], radius, colour ? colour.colour(source.values[index]) : accent, view.yScale.beyond(data.y.values[index]));
  }
  pen.globalAlpha = 1;
  if (view.best >= 0) {
    dot(pen, view.xs[view.best], view.ys[view.best], radius + 1, colour ? colour.colour(source.values[view.best]) : accent, false);
    pen.strokeStyle = colourOf("--ink");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(view.xs[view.best], view.ys[view.best], radius + 4, 0, 7);
    pen.stroke();
  }
}

function dot(pen, x, y, radius, colour, hollow) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fillStyle = pen.strokeStyle = colour;
  pen.lineWidth = 1.2;
  if (hollow) pen.stroke();
  else pen.fill();
}

function cross(pen, x, y) {
  pen.strokeStyle = colourOf("--bad");
  pen.lineWidth = 1.3;
  pen.beginPath();
  for (const side of [-1, 1]) {
    pen.moveTo(x - 3 * side, y - 3);
    pen.lineTo(x + 3 * side, y + 3);
  }
  pen.stroke();
}

function axes(state, size) {
  const { view, data, options } = state;
  const { left, right, top, bottom } = view;
  const floor = view.lacksY ? bottom + 18 : bottom;
  const start = view.lacksX ? left - 44 : left;
  const rows = view.yScale.ticks.filter((tick) => tick.text).map((tick) => s("text", { class: "axis-tick", x: start - 6, y: tick.px + 4, "text-anchor": "end" }, tick.text));
  const room = view.xScale.kind === "category" ? view.xScale.step * Math.max(1, Math.ceil(view.xScale.names.length / Math.max(1, view.xScale.ticks.filter((tick) => tick.text).length))) : 70;
  const steps = view.xScale.ticks.map((tick) =>
    s("g", null, s("line", { class: "axis-line", x1: tick.px, x2: tick.px, y1: floor, y2: floor + (tick.text ? 4 : 2) }), tick.text ? s("text", { class: "axis-tick", x: tick.px, y: floor + 16, "text-anchor": "middle" }, fit(tick.text, room - 4, 6.2)) : null));
  const missing = view.lacksX ? s("text", { class: "axis-small", x: left - 28, y: floor + 16, "text-anchor": "middle" }, "not set") : null;
  const better = data.mode ? (data.mode === "max" ? " ↑ better" : " ↓ better") : "";
  const scale = view.yScale.kind === "log" ? " (log)" : "";
  const yTitle = s("text", { class: "axis-title", x: 4, y: 13 }, options.plain ? fit(`${data.y.label}${better}`, size.width - 10) : fit(`${data.y.label}${scale}${better}`, size.width - 10));
  const xTitle = s("text", { class: "axis-title", x: (left + right) / 2, y: size.height - 4, "text-anchor": "middle" }, fit(data.x.label + (view.xScale.kind === "log" ? " (log)" : ""), right - left), s("title", null, data.x.key ?? data.x.label));
  return s("g", null, rows, s("line", { class: "axis-line", x1: start, x2: right, y1: floor, y2: floor }), steps, missing, yTitle, xTitle);
}

function nearest(view, x, y) {
  if (!view) return -1;
  let found = -1;
  let least = NEAR * NEAR;
  for (let index = 0; index < view.xs.length; index++) {
    const far = (view.xs[index] - x) ** 2 + (view.ys[index] - y) ** 2;
    if (far < least) [found, least] = [index, far];
  }
  return found;
}

function spot(state, index) {
  const { view, data } = state;
  const { x, y, colour } = data;
  const lines = [data.labels[index], `${y.label} ${number(y.values[index]) || "none"}`, `${x.name ?? x.label.split(" · ")[0]} = ${text(x.values[index]) || "not set"}`];
  if (colour && colour !== y) lines.push(`${colour.label} ${text(colour.values[index])}`);
  const mark = s("circle", { class: "hover-dot", cx: view.xs[index], cy: view.ys[index], r: 6 });
  return { x: view.xs[index], y: view.ys[index], lines, mark };
}

function summary(state) {
  const { data, view } = state;
  const known = data.y.values.filter(isFiniteValue).length;
  const words = [`${data.y.label} against ${data.x.label}: ${known} points`];
  if (known < data.labels.length) words.push(`${data.labels.length - known} without a value (×)`);
  const beyond = data.y.values.filter((value) => isFiniteValue(value) && view.yScale.beyond(value)).length;
  if (beyond) words.push(`${beyond} beyond the axis (○)`);
  if (view.best >= 0) words.push(`${data.bestWord ?? "the best"} is ${data.labels[view.best]} with ${number(data.y.values[view.best])}`);
  return `${words.join(", ")}.`;
}
