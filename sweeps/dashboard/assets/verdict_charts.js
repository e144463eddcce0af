/** The pictures of a verdict: both versions on one chart, and how the gain is spread. */

import { h, put, s } from "./dom.js";
import { makeScale } from "./axis.js";
import { number } from "./format.js";
import { chartFrame, fit } from "./svg.js";
import { askedOf, measured } from "./verdict_rules.js";

const NEAR = 40; // px
const APART = 64; // px between two labels of lines
const KINDS = {
  curves: { title: "ROC curves", x: "false positive rate", y: "true positive rate", read: ({ fpr, tpr }) => [fpr, tpr], bounds: [0, 1], diagonal: "a guess", square: true },
  reliability: { title: "How far confidence can be believed", x: "confidence", y: "share that was right", read: ({ confidence, accuracy }) => [confidence, accuracy], bounds: [0, 1], diagonal: "as confident as right", dots: true, square: true },
  residuals: { title: "Errors", x: "prediction − target", y: "rows", read: density, steps: true },
};

/** Draw both versions on one chart, by what the verdict has: ROC curves, reliability or errors; null if it has none. */
export function pairChart(host, verdict) {
  const name = Object.keys(KINDS).find((each) => verdict.pictures[each]);
  if (!name) return null;
  const kind = KINDS[name];
  const series = verdict.pictures[name].map((each, place) => ({ columns: each, points: kind.read(each), label: seriesName(verdict, each.version, place), place }));
  const state = { kind, series, all: series.flatMap((one) => one.points[0].map((x, index) => ({ x, y: one.points[1][index], one, index }))), view: null };
  const frame = chartFrame(host, {
    kind: "pair",
    height: (width) => (kind.square ? Math.min(width, 380) : 260),
    draw: (size, parts) => {
      state.view = pairLayout(state, size);
      put(parts.svg, pairPicture(state, size));
      put(parts.note, legend(series, kind));
      frame.say(`${kind.title} of ${series.map((one) => one.label).join(" and ")}, ${kind.y} against ${kind.x}.`);
    },
    pick: (x, y) => nearest(state, x, y),
    order: () => state.all.map((_, index) => index),
    spot: (index) => pairSpot(state, index),
  });
  frame.redraw();
  return { title: kind.title, destroy: frame.destroy };
}

function seriesName(verdict, version, place) {
  const role = place ? "champion" : "challenger";
  return version === null ? role : `v${version}, ${verdict.champion ? role : "without a champion"}`;
}

/** Return the places and heights of a histogram's steps, as shares per unit: the bins of two versions differ in width. */
function density({ edges, counts }) {
  const total = counts.reduce((sum, count) => sum + count, 0) || 1;
  const heights = counts.map((count, index) => count / total / (edges[index + 1] - edges[index] || 1));
  return [edges.slice(0, -1), heights];
}

function pairLayout({ kind, series }, size) {
  const [left, right, top, bottom] = [kind.steps ? 16 : 44, size.width - 14, 26, size.height - 40];
  const xs = series.flatMap((one) => (kind.steps ? one.columns.edges : one.points[0]));
  const ys = kind.steps ? [0, ...series.flatMap((one) => one.points[1])] : series.flatMap((one) => one.points[1]);
  const ticks = (pixels, each) => Math.max(2, Math.floor(pixels / each));
  const x = makeScale(xs, "linear", left, right, { ticks: ticks(right - left, 80), bounds: kind.bounds ?? null, pad: 0.01 });
  const y = makeScale(ys, "linear", bottom, top, { ticks: ticks(bottom - top, 50), bounds: kind.bounds ?? null, pad: kind.bounds ? 0.01 : 0.0 });
  return { left, right, top, bottom, x, y };
}

function pairPicture({ kind, series, view }, size) {
  const { left, right, top, bottom, x, y } = view;
  return s("g", null,
    kind.steps ? null : y.ticks.filter((tick) => tick.text).map((tick) => s("g", null, s("line", { class: "grid-line", x1: left, x2: right, y1: tick.px, y2: tick.px }), s("text", { class: "axis-tick", x: left - 6, y: tick.px + 4, "text-anchor": "end" }, tick.text))),
    axisBelow(view, x),
    s("text", { class: "axis-title", x: 4, y: 13 }, kind.y),
    s("text", { class: "axis-title", x: (left + right) / 2, y: size.height - 6, "text-anchor": "middle" }, fit(kind.x, right - left)),
    kind.diagonal ? s("line", { class: "pair-diagonal", x1: x.at(0), y1: y.at(0), x2: x.at(1), y2: y.at(1) }) : s("line", { class: "interval-zero", x1: x.at(0), x2: x.at(0), y1: top, y2: bottom }),
    series.toReversed().map((one) => s("g", null,
      s("path", { class: `pair-line is-${one.place}`, d: kind.steps ? stepPath(one, view) : linePath(one, view) }),
      kind.dots ? one.points[0].map((each, index) => s("circle", { class: `pair-dot is-${one.place}`, cx: x.at(each), cy: y.at(one.points[1][index]), r: 3.5 })) : null)));
}

function axisBelow({ left, right, bottom }, scale) {
  return [s("line", { class: "axis-line", x1: left, x2: right, y1: bottom, y2: bottom }),
    scale.ticks.filter((tick) => tick.text).map((tick) => s("g", null, s("line", { class: "axis-line", x1: tick.px, x2: tick.px, y1: bottom, y2: bottom + 4 }), s("text", { class: "axis-tick", x: tick.px, y: bottom + 16, "text-anchor": "middle" }, tick.text)))];
}

function linePath(one, { x, y }) {
  return one.points[0].map((each, index) => `${index ? "L" : "M"}${x.at(each).toFixed(1)},${y.at(one.points[1][index]).toFixed(1)}`).join("");
}

function stepPath(one, { x, y }) {
  const { edges } = one.columns;
  const steps = one.points[1].map((height, index) => `V${y.at(height).toFixed(1)}H${x.at(edges[index + 1]).toFixed(1)}`);
  return `M${x.at(edges[0]).toFixed(1)},${y.at(0).toFixed(1)}${steps.join("")}V${y.at(0).toFixed(1)}`;
}

function legend(series, kind) {
  return h("span", { class: "chart-legend" }, series.map((one) => h("span", null, s("svg", { class: "pair-key", viewBox: "0 0 22 8", width: 22, height: 8, "aria-hidden": "true" }, s("line", { class: `pair-line is-${one.place}`, x1: 0, x2: 22, y1: 4, y2: 4 })), one.label)),
    kind.diagonal ? h("span", null, s("svg", { class: "pair-key", viewBox: "0 0 22 8", width: 22, height: 8, "aria-hidden": "true" }, s("line", { class: "pair-diagonal", x1: 0, x2: 22, y1: 4, y2: 4 })), kind.diagonal) : null);
}

function nearest({ all, view }, x, y) {
  if (!view) return -1;
  let [found, least] = [-1, NEAR * NEAR];
  all.forEach((point, index) => {
    const far = (view.x.at(point.x) - x) ** 2 + (view.y.at(point.y) - y) ** 2;
    if (far < least) [found, least] = [index, far];
  });
  return found;
}

function pairSpot({ all, kind, view }, index) {
  const { x, y, one, index: at } = all[index];
  const { edges, counts, rows } = one.columns;
  const lines = kind.steps ? [`${kind.x} ${number(edges[at])} to ${number(edges[at + 1])}`, `${number(counts[at])} rows`] : [`${kind.x} ${number(x)}`, `${kind.y} ${number(y)}`, ...(rows ? [`${number(rows[at])} rows`] : [])];
  const [px, py] = [view.x.at(x), view.y.at(y)];
  return { x: px, y: py, lines: [one.label, ...lines], mark: s("circle", { class: "hover-dot", cx: px, cy: py, r: 6 }) };
}

/** Draw how the gain is spread, with its bound and what is asked; null if the verdict does not have it. */
export function gainChart(host, verdict) {
  const { gains } = verdict.pictures;
  if (!gains) return null;
  const first = verdict.differences[0]?.measure;
  const rule = verdict.rules.find((each) => each.rule === "superiority") ?? verdict.rules.find((each) => each.rule === "not_worse" && !each.slice && each.measure === first);
  const total = gains.counts.reduce((sum, count) => sum + count, 0) || 1;
  const state = { gains, rule, total, measure: rule?.measure ?? first ?? null, view: null };
  const frame = chartFrame(host, {
    kind: "gains",
    height: () => 260,
    draw: (size, parts) => {
      state.view = gainLayout(state, size);
      put(parts.svg, gainPicture(state, size));
      const words = gainWords(state);
      put(parts.note, words);
      frame.say(words);
    },
    pick: (x) => binAt(state, x),
    order: () => gains.counts.map((_, index) => index),
    spot: (index) => gainSpot(state, index),
  });
  frame.redraw();
  return { title: "How sure the gain is", destroy: frame.destroy };
}

function linesOf({ rule }) {
  if (!rule) return [{ value: 0, name: "0", kind: "interval-zero" }];
  const asked = askedOf(rule);
  const lines = [{ value: 0, name: asked === 0 ? "0, asked" : "0", kind: "interval-zero" }];
  if (asked !== null && asked !== 0) lines.push({ value: asked, name: "asked", kind: "interval-asked" });
  if (rule.low !== null) lines.push({ value: rule.low, name: "bound", kind: "gain-bound" });
  return lines;
}

function gainLayout(state, size) {
  const { gains } = state;
  const [left, right, top, bottom] = [14, size.width - 14, 42, size.height - 40];
  const lines = linesOf(state);
  const x = makeScale([...gains.edges, ...lines.map((line) => line.value)], "linear", left, right, { ticks: Math.max(2, Math.floor((right - left) / 85)), pad: 0.01 });
  const y = makeScale([0, ...gains.counts], "linear", bottom, top, { pad: 0 });
  return { left, right, top, bottom, x, y, lines };
}

function gainPicture(state, size) {
  const { gains, rule, view, measure } = state;
  const { left, right, top, bottom, x, y, lines } = view;
  const asked = (rule && askedOf(rule)) ?? 0;
  const bars = gains.counts.map((count, index) => {
    const [from, to] = [x.at(gains.edges[index]), x.at(gains.edges[index + 1])];
    const isDoubt = (gains.edges[index] + gains.edges[index + 1]) / 2 <= asked;
    return s("rect", { class: `gain-bar ${isDoubt ? "is-bad" : "is-good"}`, x: from, width: Math.max(0.5, to - from - 0.5), y: y.at(count), height: Math.max(0, bottom - y.at(count)) });
  });
  const marks = apart(lines, x);
  return s("g", null, bars, axisBelow(view, x),
    marks.map(({ value, kind, row }) => s("line", { class: kind, x1: x.at(value), x2: x.at(value), y1: top - 12 - 12 * row, y2: bottom })),
    marks.map(({ value, name, row, isCrowded }) => {
      const y = top - 4 - 12 * row;
      if (isCrowded && x.at(value) - left > APART) return s("text", { class: "axis-small halo", x: x.at(value) - 3, y, "text-anchor": "end" }, name);
      return s("text", { class: "axis-small halo", x: Math.min(Math.max(x.at(value) + 3, left), right - 40), y }, name);
    }),
    s("text", { class: "axis-title", x: (left + right) / 2, y: size.height - 6, "text-anchor": "middle" }, fit(`gain of ${measure ?? "the objective"}`, right - left)));
}

// Names of lines that stand close together are written above each other, and left of a line that has another one close to its right.
function apart(lines, scale) {
  const placed = [];
  for (const line of [...lines].sort((a, b) => a.value - b.value)) {
    const before = placed.at(-1);
    const isClose = before && scale.at(line.value) - scale.at(before.value) < APART;
    if (isClose) before.isCrowded = true;
    placed.push({ ...line, row: isClose ? (before.row + 1) % 3 : 0, isCrowded: false });
  }
  return placed;
}

function binAt({ gains, view }, x) {
  if (!view) return -1;
  return gains.counts.findIndex((_, index) => x >= view.x.at(gains.edges[index]) && x < view.x.at(gains.edges[index + 1]));
}

function gainSpot({ gains, total, view, measure }, index) {
  const [from, to] = [gains.edges[index], gains.edges[index + 1]];
  const [x, y] = [(view.x.at(from) + view.x.at(to)) / 2, view.y.at(gains.counts[index])];
  return { x, y, lines: [`a gain of ${measured(measure, from)} to ${measured(measure, to)}`, `${number((100 * gains.counts[index]) / total, 3)} % of draws`], mark: s("circle", { class: "hover-dot", cx: x, cy: y, r: 5 }) };
}

function gainWords({ rule, measure }) {
  if (!rule || rule.gain === null) return "The gain as it would come out on rows that are drawn again.";
  const asked = askedOf(rule);
  const bound = rule.low === null ? "" : `, and lies above ${measured(measure, rule.low)} (the bound) when chance is allowed for`;
  return `The gain as it would come out on rows that are drawn again: it is ${measured(measure, rule.gain)}${bound}. ${asked === null ? "" : `More than ${measured(measure, asked)} is asked.`}`.trim();
}
