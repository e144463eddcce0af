/** The best value so far, as a step line over jobs, epochs or time, with a dot where a new best came. */

import { h, put, s } from "./dom.js";
import { counted, duration, number } from "./format.js";
import { isFiniteValue, linearTicks, makeScale, resultBounds, timeTicks, toNumber } from "./axis.js";
import { chartFrame, fit } from "./svg.js";

const AXES = { jobs: "jobs ended", epochs: "epochs trained", seconds: "time since the start" };

/**
 * Draw `{jobs, epochs, seconds, value, job}` of a sweep. `options`: `label`, `mode`, `x` (jobs, epochs or seconds; the reader
 * may change it), `labelOf(job)`, `hrefOf(job)`, `height`.
 */
export function bestChart(host, best, options = {}) {
  const state = { best, x: options.x ?? "jobs", view: null, options };
  const place = h("div", null);
  const choices = h("div", { class: "segments", role: "group", "aria-label": "Count along the axis" });
  put(host, choices, place);
  const frame = chartFrame(place, {
    kind: "best",
    name: "The best value so far",
    height: (width) => options.height ?? (width < 500 ? 220 : 290),
    draw: (size, parts) => {
      state.view = layout(state, size);
      put(parts.svg, picture(state, size));
      const words = summary(state);
      put(parts.note, words);
      frame.say(words);
    },
    pick: (x) => nearest(state.view, x),
    order: () => state.view?.steps.map((_, index) => index) ?? [],
    spot: (index) => spot(state, index),
    href: (index) => options.hrefOf?.(state.view.steps[index].job) ?? null,
  });
  const choose = () => {
    const known = Object.keys(AXES).filter((key) => state.best[key]?.some((value, index, all) => value !== null && value !== all[0]));
    if (!known.includes(state.x) && known.length) state.x = known[0];
    choices.hidden = known.length < 2;
    put(choices, known.map((key) => h("button", {
      type: "button", "aria-pressed": String(key === state.x),
      onclick: () => {
        state.x = key;
        choose();
        choices.querySelector("[aria-pressed=true]")?.focus();
      },
    }, { jobs: "jobs", epochs: "epochs", seconds: "time" }[key])));
    frame.redraw();
  };
  choose();
  return {
    update(next) {
      state.best = next;
      choose();
    },
    destroy() {
      frame.destroy();
      choices.remove();
    },
  };
}

/** Return the moments at which the best changed: `{x, value, job, index}`. */
function stepsOf(best, xs) {
  const steps = [];
  best.value.forEach((value, index) => {
    if (!isFiniteValue(value) || xs[index] === null || xs[index] === undefined) return;
    const last = steps.at(-1);
    if (!last || last.value !== toNumber(value) || last.job !== best.job[index]) steps.push({ x: xs[index], value: toNumber(value), job: best.job[index], index });
  });
  return steps;
}

function layout(state, size) {
  const { best, options } = state;
  const xs = best[state.x] ?? [];
  const steps = stepsOf(best, xs);
  const end = xs.reduce((most, value) => Math.max(most, value ?? 0), 0) || 1;
  const [left, right, top, bottom] = [58, size.width - 16, 26, size.height - 40];
  const bounds = resultBounds(steps.map((step) => step.value), options.mode);
  const isLog = bounds && bounds[0] > 0 && bounds[1] / bounds[0] > 100;
  const yScale = makeScale(steps.map((step) => step.value), isLog ? "log" : "linear", bottom, top, { ticks: Math.floor((bottom - top) / 42), bounds, pad: 0.08 });
  const ticks = Math.max(2, Math.floor((right - left) / 95));
  const marks = state.x === "seconds" ? timeTicks(end, ticks) : linearTicks(0, end, ticks, true);
  const place = (x) => left + (x / end) * (right - left);
  return { steps, end, place, yScale, marks, left, right, top, bottom };
}

function picture(state, size) {
  const { view, options } = state;
  const { steps, place, yScale, left, right, bottom } = view;
  if (!steps.length) return s("text", { class: "axis-small", x: size.width / 2, y: size.height / 2, "text-anchor": "middle" }, "No job has a value yet");
  const points = steps.map((step, index) => {
    const [x, y] = [place(step.x), yScale.at(step.value)];
    return `${index ? `H${x.toFixed(1)}V` : `M${x.toFixed(1)},`}${y.toFixed(1)}`;
  });
  const better = options.mode === "min" ? " ↓ better" : options.mode === "max" ? " ↑ better" : "";
  const last = steps.at(-1);
  return s("g", null,
    yScale.ticks.filter((tick) => tick.text).map((tick) => s("g", null,
      s("line", { class: "grid-line", x1: left, x2: right, y1: tick.px, y2: tick.px }), s("text", { class: "axis-tick", x: left - 6, y: tick.px + 4, "text-anchor": "end" }, tick.text))),
    s("line", { class: "axis-line", x1: left, x2: right, y1: bottom, y2: bottom }),
    view.marks.map((tick) => s("g", null, s("line", { class: "axis-line", x1: place(tick.at), x2: place(tick.at), y1: bottom, y2: bottom + 4 }),
      s("text", { class: "axis-tick", x: place(tick.at), y: bottom + 16, "text-anchor": "middle" }, tick.text))),
    s("text", { class: "axis-title", x: 4, y: 13 }, fit(`${options.label ?? "result"}${yScale.kind === "log" ? " (log)" : ""}${better}`, size.width - 20)),
    s("text", { class: "axis-title", x: (left + right) / 2, y: size.height - 6, "text-anchor": "middle" }, AXES[state.x]),
    s("path", { class: "best-line", d: `${points.join("")}H${right.toFixed(1)}` }),
    steps.map((step) => s("circle", { class: step === last ? "best-dot is-best" : "best-dot", cx: place(step.x), cy: yScale.at(step.value), r: step === last ? 5 : 3.5 })));
}

function nearest(view, x) {
  if (!view?.steps.length || x < view.left - 10) return -1;
  let found = 0;
  view.steps.forEach((step, index) => {
    if (view.place(step.x) <= x + 6) found = index;
  });
  return found;
}

function spot(state, index) {
  const { view, options, best } = state;
  const step = view.steps[index];
  const [x, y] = [view.place(step.x), view.yScale.at(step.value)];
  const when = [];
  if (best.jobs?.[step.index] !== undefined) when.push(`after ${counted(best.jobs[step.index], "job")}`);
  if (best.epochs?.[step.index]) when.push(counted(best.epochs[step.index], "epoch"));
  if (Number.isFinite(best.seconds?.[step.index])) when.push(duration(best.seconds[step.index]));
  const name = options.labelOf?.(step.job) ?? `job ${step.job}`;
  return { x, y, lines: [`${options.label ?? "result"} ${number(step.value)}`, name, when.join(", ")], mark: s("circle", { class: "hover-dot", cx: x, cy: y, r: 7 }) };
}

function summary(state) {
  const { view, options } = state;
  if (!view.steps.length) return "No job has a value yet.";
  const last = view.steps.at(-1);
  const at = state.x === "seconds" ? `after ${duration(last.x)}` : `after ${counted(last.x, state.x === "jobs" ? "job" : "epoch")}`;
  const name = options.labelOf?.(last.job) ?? `job ${last.job}`;
  const total = state.x === "seconds" ? duration(view.end) : String(view.end);
  return `Best ${options.label ?? "result"} ${number(last.value)} (${name}), found ${at} of ${total}; ${counted(view.steps.length, "new best")}.`;
}
