/** Parallel coordinates: a line per job over an axis per setting, coloured by its result, with ranges to pick on each axis. */

import { h, put, s } from "./dom.js";
import { counted, number, text } from "./format.js";
import { bestIndex, guessScale, isFiniteValue, makeScale, nameOf, resultBounds, resultColours, toNumber } from "./axis.js";
import { brushAxis, focusAxis, isPicked } from "./brush.js";
import { colourOf, density } from "./colours.js";
import { chartFrame, fit } from "./svg.js";

const LEAST_GAP = 78; // px between axes; a narrower place scrolls
const TOP = 40;
const BOTTOM = 12;
const MOST_AXES = 14;
const HAIR = 60; // lines above which each is as thin as the screen can draw: browsers draw those many times faster
const BUNDLED = 600; // lines above which neighbours by result share a path and a colour
const BUNDLES = 40;
const PER_PATH = 200;

/**
 * Draw a table of points: `{labels, columns: [{key, label, scale, values}], result: {label, mode, values}|null, best, hrefs}`.
 *
 * `best` is the index of the line to mark; without it that of the best result. Settings with one value are left out, and so
 * are all after the 14 most important (`options.share`: key to share).
 * `options.onPick(indices|null)` hears what the ranges pick; `options.noun` is what a line is (run). Ranges outlive `update(table)`.
 */
export function parallelChart(host, table, options = {}) {
  const state = { table, brushes: new Map(), picked: null, view: null, changed: false };
  const frame = chartFrame(host, {
    kind: "parallel",
    name: "Settings and results",
    acts: true,
    height: () => options.height ?? 330,
    draw: (size, parts) => draw(size, parts),
    pick: (x, y) => nearest(state, x, y),
    order: () => byResult(state),
    spot: (index) => spot(state, index),
    href: (index) => state.table.hrefs?.[index] ?? null,
    least: () => (axesOf(state.table, options).length - 1) * LEAST_GAP + 110,
  });

  function draw(size, parts) {
    if (state.view?.table !== state.table || state.view.width !== size.width) state.view = layout(state.table, size, options);
    state.colours = state.table.result ? resultColours(state.table.result.values, state.table.result.mode) : null;
    state.picked = pickedOf(state);
    paintLines(state, parts.pen, size.ratio);
    const held = parts.svg.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    put(parts.svg, state.view.axes.map((axis) => axisNode(state, axis, change)));
    if (held !== null) focusAxis(parts.svg, held);
    note(state, parts.note, clear, options);
    frame.say(summary(state));
    if (state.changed) options.onPick?.(state.picked);
    state.changed = false;
  }

  function change(atOnce = true) {
    state.changed = true;
    if (atOnce) frame.redraw.now();
    else frame.redraw();
  }

  function clear() {
    state.brushes.clear();
    change();
  }

  frame.node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !state.brushes.size || event.defaultPrevented) return;
    clear();
    event.preventDefault();
  });
  frame.redraw();
  return {
    update(next) {
      state.table = next;
      state.changed = state.brushes.size > 0; // the ranges pick others now
      frame.redraw();
    },
    clear,
    destroy: frame.destroy,
  };
}

function variedOf(table) {
  return table.columns.filter((column) => new Set(column.values.map(nameOf)).size > 1);
}

function axesOf(table, options) {
  const varied = variedOf(table);
  const known = options.share ?? {};
  const share = (column) => known[column.key] ?? -1;
  const columns = (varied.length ? varied : table.columns).toSorted((a, b) => share(b) - share(a)).slice(0, MOST_AXES);
  return table.result ? [...columns, { ...table.result, key: "\u0000result", isResult: true }] : columns;
}

function layout(table, size, options) {
  const columns = axesOf(table, options);
  const [left, right] = [roomBefore(columns[0]), size.width - (table.result ? 58 : 24)];
  const gap = columns.length > 1 ? (right - left) / (columns.length - 1) : 0;
  const lacks = columns.some((column) => column.values.some((value) => placeless(column, value)));
  const [top, bottom] = [TOP, size.height - BOTTOM - (lacks ? 18 : 0)];
  const axes = columns.map((column, index) => {
    const kind = column.isResult && !column.scale ? resultScale(column) : (column.scale ?? guessScale(column.values));
    const bounds = column.isResult ? resultBounds(column.values, column.mode) : null;
    const scale = makeScale(column.values, kind, bottom, top, { ticks: Math.floor((bottom - top) / 42), bounds, apart: column.isResult ? 0 : 13 });
    return { column, scale, x: left + index * gap, gap, top, bottom, missing: lacks ? bottom + 18 : bottom };
  });
  const ys = axes.map((axis) => {
    const spread = axis.scale.kind === "category" ? Math.min(0.25 * axis.scale.step, 14) * Math.min(1, table.labels.length / 40) : 0;
    const free = (index) => spread * (((index * 0.618034) % 1) * 2 - 1); // even, and the same each time
    return Float32Array.from(axis.column.values, (value, index) => {
      const at = axis.scale.at(value);
      return at === null ? axis.missing : at + free(index);
    });
  });
  const without = variedOf(table).filter((column) => !columns.some((one) => one.key === column.key)).map((column) => column.label);
  return { axes, ys, without, count: table.labels.length, table, width: size.width };
}

/** Return the pixels before the first axis: enough for the names on it. */
function roomBefore(column) {
  const isNamed = column && (column.scale ?? guessScale(column.values)) === "category";
  const widest = isNamed ? column.values.reduce((most, value) => Math.max(most, nameOf(value).length), 0) : 0;
  return Math.min(96, Math.max(54, widest * 6.3 + 14));
}

function resultScale(column) {
  return guessScale(column.values) === "log" && resultBounds(column.values, column.mode)?.[0] > 0 ? "log" : "linear";
}

function placeless(column, value) {
  return value === null || value === undefined || (toNumber(value) !== undefined && !Number.isFinite(toNumber(value)));
}

function pickedOf(state) {
  const ranges = state.view.axes.map((axis, index) => [index, state.brushes.get(axis.column.key)]).filter(([, each]) => each?.length);
  if (!ranges.length) return null;
  const picked = [];
  for (let item = 0; item < state.view.count; item++) {
    if (ranges.every(([index, brushes]) => isPicked(brushes, state.view.axes[index], state.view.ys[index][item]))) picked.push(item);
  }
  return picked;
}

/** Return the indices from the best to the worst, those without a result last; only the picked ones. */
function byResult(state) {
  const { result } = state.table;
  const all = state.picked ?? Array.from({ length: state.view?.count ?? 0 }, (_, index) => index);
  if (!result) return all;
  const sign = result.mode === "min" ? 1 : -1;
  const key = (index) => {
    const value = toNumber(result.values[index]);
    if (index === state.table.best) return -Infinity;
    return Number.isFinite(value) ? sign * value : Infinity;
  };
  return all.toSorted((a, b) => key(a) - key(b));
}

function paintLines(state, pen, ratio) {
  const { colours, view, table } = state;
  const picked = state.picked && new Set(state.picked);
  pen.lineJoin = "bevel";
  if (picked) {
    const others = Array.from({ length: view.count }, (_, index) => index).filter((index) => !picked.has(index));
    stroke(pen, view, others, { colour: colourOf("--line"), alpha: Math.max(0.3, density(view.count)), width: view.count > HAIR ? 1 / ratio : 1 });
  }
  const order = byResult(state).reverse(); // the best on top
  const shown = density(order.length);
  const width = view.count > HAIR ? 1 / ratio : 1.4;
  const bundle = order.length > BUNDLED ? Math.ceil(order.length / BUNDLES) : 1;
  for (let from = 0; from < order.length; from += bundle) {
    const lines = order.slice(from, from + bundle);
    const strong = (order.length < 20 ? 0.9 : 0.6) + (0.8 * from) / order.length; // the better, the stronger
    const value = table.result?.values[lines[lines.length >> 1]];
    stroke(pen, view, lines, { colour: colours ? colours.colour(value) : colourOf("--accent"), alpha: Math.min(1, shown * strong * (view.count > HAIR ? Math.min(ratio, 2) : 1)), width });
  }
  const best = order.at(-1);
  if (table.result?.mode && best !== undefined && Number.isFinite(toNumber(table.result.values[best]))) {
    stroke(pen, view, [best], { colour: colours.colour(table.result.values[best]), alpha: 1, width: 3 });
  }
  pen.globalAlpha = 1;
}

/** Draw lines in few paths: a path for each of thousands of lines would take seconds. */
function stroke(pen, view, lines, { colour, alpha, width }) {
  pen.strokeStyle = colour;
  pen.globalAlpha = alpha;
  pen.lineWidth = width;
  for (let from = 0; from < lines.length; from += PER_PATH) {
    pen.beginPath();
    for (const index of lines.slice(from, from + PER_PATH)) {
      view.axes.forEach((axis, place) => {
        if (place) pen.lineTo(axis.x, view.ys[place][index]);
        else pen.moveTo(axis.x, view.ys[place][index]);
      });
    }
    pen.stroke();
  }
}

function axisNode(state, axis, change) {
  const { column, scale, x, top, bottom, gap } = axis;
  const width = Math.max(40, gap - 10);
  const isLast = Boolean(column.isResult);
  const better = isLast && column.mode ? (column.mode === "max" ? " ↑ better" : " ↓ better") : "";
  const title = s("text", { class: isLast ? "axis-title is-result" : "axis-title", x: isLast ? x + 52 : x, y: 14, "text-anchor": isLast ? "end" : "middle" });
  title.append(fit(column.label, width, 6.6), s("title", null, column.key === "\u0000result" ? column.label : column.key));
  const under = better || { log: "log", category: "", linear: "" }[scale.kind];
  const small = s("text", { class: "axis-small", x: isLast ? x + 52 : x, y: 28, "text-anchor": isLast ? "end" : "middle" }, under);
  const line = isLast ? resultLine(state, axis) : s("line", { class: "axis-line", x1: x, x2: x, y1: top, y2: bottom });
  const ticks = scale.ticks.map((tick) =>
    tick.text
      ? s("g", null, s("line", { class: "axis-line", x1: x - 4, x2: x, y1: tick.px, y2: tick.px }),
          s("text", { class: "axis-tick halo", x: isLast ? x + 8 : x - 7, y: tick.px + 4, "text-anchor": isLast ? "start" : "end" }, fit(tick.text, isLast ? 46 : Math.min(x - 8, Math.min(46, gap - 16) + (scale.kind === "category" ? gap - 60 : 0)))))
      : s("line", { class: "axis-line", x1: x - 2, x2: x, y1: tick.px, y2: tick.px }));
  const lacking = column.values.some((value) => placeless(column, value));
  const missing = lacking && s("g", null, s("circle", { class: "axis-missing", cx: x, cy: axis.missing, r: 3 }),
    s("text", { class: "axis-small halo", x: isLast ? x + 8 : x - 7, y: axis.missing + 4, "text-anchor": isLast ? "start" : "end" }, isLast ? "none" : "not set"));
  return s("g", null, line, ticks, missing, title, small, brushAxis(axis, state.brushes, change));
}

/** The axis of the result is the key to the colours. */
function resultLine(state, axis) {
  const { x, top, bottom, column } = axis;
  const steps = 24;
  const height = (bottom - top) / steps;
  return s("g", null, Array.from({ length: steps }, (_, index) => {
    const y = bottom - (index + 1) * height;
    return s("rect", { x: x - 2.5, y, width: 5, height: height + 0.5, fill: state.colours.colour(axis.scale.invert(y + height / 2)) });
  }));
}

function nearest(state, x, y) {
  const { view } = state;
  if (!view?.axes.length || y < TOP - 8) return -1;
  const at = view.axes.findIndex((axis) => axis.x >= x);
  const next = at < 0 ? view.axes.length - 1 : at;
  const before = Math.max(0, next - 1);
  const [from, to] = [view.axes[before], view.axes[next]];
  const part = to.x > from.x ? Math.min(1, Math.max(0, (x - from.x) / (to.x - from.x))) : 0;
  let found = -1;
  let least = 10;
  for (const index of state.picked ?? Array.from({ length: view.count }, (_, each) => each)) {
    const [y1, y2] = [view.ys[before][index], view.ys[next][index]];
    const far = Math.abs(y1 + (y2 - y1) * part - y) / Math.hypot(1, (y2 - y1) / Math.max(1, to.x - from.x));
    if (far < least) [found, least] = [index, far];
  }
  return found;
}

function spot(state, index) {
  const { view, table } = state;
  const points = view.axes.map((axis, place) => `${axis.x},${view.ys[place][index]}`).join(" ");
  const last = view.axes.length - 1;
  const lines = [table.labels[index]];
  if (table.result) lines.push(`${table.result.label} ${number(table.result.values[index]) || "none"}`);
  for (const axis of view.axes) if (!axis.column.isResult) lines.push(`${axis.column.label} = ${valueText(axis.column.values[index])}`);
  const mark = s("g", null, s("polyline", { class: "hover-back", points }), s("polyline", { class: "hover-line", points }));
  return { x: view.axes[last].x - 60, y: view.ys[last][index], lines, mark, free: true };
}

function valueText(value) {
  return value === null || value === undefined ? "not set" : text(value);
}

function note(state, host, clear, options) {
  const { table, picked } = state;
  const count = counted(table.labels.length, options.noun ?? "run");
  if (!picked) {
    const left = state.view.without.length;
    const beyond = resultsBeyond(state.view);
    put(host, `${count}${beyond ? `, of which ${beyond} ${beyond === 1 ? "is far worse and lies" : "are far worse and lie"} at the end of the last axis` : ""}. `,
      left ? h("span", { title: state.view.without.join(", ") }, `${counted(left, "more setting")} ${left === 1 ? "has" : "have"} no axis for want of room. `) : null,
      h("span", { class: "no-print" }, "Drag along an axis to pick a range, on several axes to narrow it; Escape clears."));
    return;
  }
  const best = table.result && picked.length ? byResult(state)[0] : -1;
  const value = best >= 0 ? number(table.result.values[best]) : "";
  put(host, `${picked.length} of ${count} picked`, value ? ` · best ${table.result.label} ${value} (${table.labels[best]})` : "", " · ",
    h("button", { type: "button", class: "link", onclick: clear }, "clear the ranges"));
}

function resultsBeyond(view) {
  const last = view.axes.at(-1);
  return last?.column.isResult ? last.column.values.filter((value) => isFiniteValue(value) && last.scale.beyond(value)).length : 0;
}

function summary(state) {
  const { table, view } = state;
  const keys = view.axes.filter((axis) => !axis.column.isResult).map((axis) => axis.column.label).join(", ");
  const best = table.result?.mode ? (table.best ?? bestIndex(table.result.values, table.result.mode)) : -1;
  const top = best >= 0 ? ` Best: ${table.labels[best]}, ${table.result.label} ${number(table.result.values[best])}.` : "";
  return `Parallel coordinates of ${table.labels.length} points over ${keys}.${top} Arrow keys go from the best to the worst, Tab to the axes.`;
}

