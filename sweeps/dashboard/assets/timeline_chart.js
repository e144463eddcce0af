/** What each slot did: a row per slot, a bar per stretch of a job, sessions apart. */

import { h, put, s } from "./dom.js";
import { counted, duration } from "./format.js";
import { timeTicks } from "./axis.js";
import { colourOf } from "./colours.js";
import { chartFrame, fit } from "./svg.js";

export const STATUS_COLOURS = {
  completed: "--good", failed: "--bad", killed: "--s8", cancelled: "--quiet", pruned: "--warn", running: "--running", queued: "--quiet", unfinished: "--quiet", interrupted: "--quiet",
};
const WORDS = { pruned: "stopped early or paused" };
const GAP = 36; // px between two sessions
const TOP = 8;

/**
 * Draw `{slots, rows, sessions: [[from, to]], began, slot, row, job, from_s, to_s, status}`. Seconds are of the sweep's own
 * time, without the time between its sessions; `began` tells when each session did. A slot that runs several jobs at once
 * has several rows. `options`: `labelOf(job)`, `hrefOf(job)`.
 */
export function timelineChart(host, timeline, options = {}) {
  const state = { timeline, view: null };
  const frame = chartFrame(host, {
    kind: "timeline",
    name: "Slots over time",
    height: () => TOP + rowHeight(state.timeline) * rowsOf(state.timeline) + 26,
    draw: (size, parts) => {
      state.view = layout(state.timeline, size);
      paint(state, parts.pen);
      put(parts.svg, axes(state, size));
      put(parts.note, legend(state.timeline), " ", summary(state));
      frame.say(summary(state));
    },
    pick: (x, y) => nearest(state, x, y),
    order: () => state.timeline.job.map((_, index) => index).sort((a, b) => state.timeline.from_s[a] - state.timeline.from_s[b]),
    spot: (index) => spot(state, index, options),
    href: (index) => options.hrefOf?.(state.timeline.job[index]) ?? null,
  });
  frame.redraw();
  return {
    update(next) {
      state.timeline = next;
      frame.redraw();
    },
    destroy: frame.destroy,
  };
}

function rowHeight(timeline) {
  return Math.max(7, Math.min(24, Math.floor(420 / rowsOf(timeline))));
}

function rowsOf(timeline) {
  return Math.max(1, timeline.rows ?? timeline.slots);
}

function rowOf(timeline, index) {
  return timeline.row?.[index] ?? timeline.slot[index] ?? 0;
}

function layout(timeline, size) {
  const [left, right] = [52, size.width - 12];
  const ends = timeline.to_s.map((to, index) => to ?? timeline.from_s[index]);
  const last = Math.max(0, ...timeline.sessions.map(([, to]) => to ?? 0), ends.reduce((most, to) => Math.max(most, to), 0));
  const sessions = (timeline.sessions.length ? timeline.sessions : [[0, last]]).map(([from, to]) => [from, Math.max(from, to ?? last)]);
  sessions[sessions.length - 1][1] = Math.max(sessions.at(-1)[1], last);
  const total = sessions.reduce((sum, [from, to]) => sum + Math.max(0.001, to - from), 0);
  const room = right - left - GAP * (sessions.length - 1);
  let at = left;
  const stretches = sessions.map(([from, to]) => {
    const width = (Math.max(0.001, to - from) / total) * room;
    const stretch = { from, to, left: at, right: at + width };
    at += width + GAP;
    return stretch;
  });
  const stretchOf = (seconds) => stretches.findLast((each) => seconds >= each.from - 1e-6) ?? stretches[0];
  const pixel = (stretch, seconds) => stretch.left + Math.min(1, Math.max(0, (seconds - stretch.from) / Math.max(0.001, stretch.to - stretch.from))) * (stretch.right - stretch.left);
  const rows = rowHeight(timeline);
  const bars = timeline.job.map((_, index) => {
    const stretch = stretchOf(timeline.from_s[index]);
    const from = pixel(stretch, timeline.from_s[index]);
    const to = pixel(stretch, timeline.to_s[index] ?? last); // no bar crosses a gap
    return { x: from, width: Math.max(1.5, to - from), y: TOP + rowOf(timeline, index) * rows };
  });
  return { stretches, bars, rows, left, right, bottom: TOP + rows * rowsOf(timeline), total, last };
}

function paint(state, pen) {
  const { view, timeline } = state;
  const colours = Object.fromEntries(Object.entries(STATUS_COLOURS).map(([status, name]) => [status, colourOf(name)]));
  const paper = colourOf("--paper");
  view.bars.forEach((bar, index) => {
    const status = timeline.status[index];
    const height = Math.max(4, view.rows - (view.rows > 12 ? 5 : 2));
    pen.fillStyle = colours[status] ?? colours.queued;
    pen.globalAlpha = status === "running" ? 0.95 : 0.78;
    pen.fillRect(bar.x, bar.y + 1, bar.width, height);
    pen.globalAlpha = 1;
    if (bar.width > 4) {
      pen.fillStyle = paper;
      pen.fillRect(bar.x + bar.width - 1, bar.y + 1, 1, height);
    }
    const name = String(timeline.job[index]);
    if (view.rows >= 16 && bar.width > 8 + 7 * name.length) {
      pen.fillStyle = paper;
      pen.font = "600 11px system-ui, sans-serif";
      pen.textBaseline = "middle";
      pen.fillText(name, bar.x + 5, bar.y + 1 + height / 2);
    }
  });
}

function axes(state, size) {
  const { view, timeline } = state;
  const every = Math.ceil(14 / view.rows);
  const rows = firstRows(timeline).map(([slot, row], index) =>
    index % every ? null : s("text", { class: "axis-tick", x: view.left - 8, y: TOP + row * view.rows + view.rows / 2 + 2, "text-anchor": "end" }, timeline.slots <= 12 ? `slot ${slot}` : slot));
  const sessions = view.stretches.map((stretch, index) => {
    const width = stretch.right - stretch.left;
    const next = view.stretches[index + 1];
    const ticks = timeTicks(Math.max(0.001, stretch.to - stretch.from), Math.max(1, Math.floor(width / 85)));
    const pixel = (at) => stretch.left + (at / Math.max(0.001, stretch.to - stretch.from)) * width;
    return s("g", null,
      s("line", { class: "axis-line", x1: stretch.left, x2: stretch.right, y1: view.bottom, y2: view.bottom }),
      ticks.filter((tick) => pixel(tick.at) < (next ? stretch.right - 24 : size.width - 20)).map((tick) => s("g", null,
        s("line", { class: "axis-line", x1: pixel(tick.at), x2: pixel(tick.at), y1: view.bottom, y2: view.bottom + 4 }),
        tick.at === 0 && index ? null : s("text", { class: "axis-tick", x: pixel(tick.at), y: view.bottom + 16, "text-anchor": tick.at ? "middle" : "start" }, fit(tick.text, 80)))),
      next ? s("g", null, s("line", { class: "session-gap", x1: stretch.right + GAP / 2, x2: stretch.right + GAP / 2, y1: 2, y2: view.bottom + 4 }),
        s("title", null, pauseText(timeline, index)),
        s("text", { class: "axis-small", x: stretch.right + GAP / 2, y: view.bottom + 16, "text-anchor": "middle" }, "pause")) : null);
  });
  return s("g", null, rows, sessions);
}

/** Return each slot with the first of its rows. */
function firstRows(timeline) {
  const rows = new Map(Array.from({ length: timeline.row ? 0 : timeline.slots }, (_, slot) => [slot, slot]));
  timeline.job.forEach((_, index) => {
    const slot = timeline.slot[index];
    if (slot !== null) rows.set(slot, Math.min(rows.get(slot) ?? Infinity, rowOf(timeline, index)));
  });
  return [...rows].sort((a, b) => a[1] - b[1]);
}

function pauseText(timeline, index) {
  const [from, to] = timeline.sessions[index];
  const next = Date.parse(timeline.began?.[index + 1]);
  const passed = (next - Date.parse(timeline.began?.[index])) / 1000 - (to - from);
  return Number.isFinite(passed) ? `The sweep rested for ${duration(Math.max(0, passed))}, then went on` : "The sweep rested here, then went on";
}

function nearest(state, x, y) {
  const { view } = state;
  if (!view) return -1;
  return view.bars.findIndex((bar) => x >= bar.x - 1 && x <= bar.x + Math.max(3, bar.width) && y >= bar.y && y < bar.y + view.rows);
}

function spot(state, index, options) {
  const { view, timeline } = state;
  const bar = view.bars[index];
  const job = timeline.job[index];
  const to = timeline.to_s[index] ?? view.last;
  const status = timeline.status[index];
  const lines = [options.labelOf?.(job) ?? `job ${job}`, `${WORDS[status] ?? status}, ${duration(to - timeline.from_s[index])}`, `${timeline.slot[index] === null ? "" : `slot ${timeline.slot[index]}, `}began at ${duration(timeline.from_s[index])}`];
  const mark = s("rect", { class: "hover-box", x: bar.x - 1, y: bar.y, width: bar.width + 2, height: view.rows - 2 });
  return { x: bar.x + Math.min(bar.width, 300) / 2, y: bar.y, lines, mark };
}

function legend(timeline) {
  const known = [...new Set(timeline.status)];
  const square = (status) => h("i", { class: "square", "aria-hidden": "true", style: { "--swatch": `var(${STATUS_COLOURS[status] ?? STATUS_COLOURS.queued})` } });
  return h("span", { class: "chart-legend" }, known.map((status) => h("span", null, square(status), WORDS[status] ?? status)));
}

function summary(state) {
  const { timeline, view } = state;
  const sessions = timeline.sessions.length > 1 ? ` in ${timeline.sessions.length} sessions` : "";
  return `${counted(new Set(timeline.job).size, "job")} on ${counted(timeline.slots, "slot")} over ${duration(view.total)}${sessions}.`;
}
