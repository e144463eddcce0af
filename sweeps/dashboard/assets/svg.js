/** The frame of a chart: a canvas for many marks, an SVG for the few, a hint that follows the pointer or the keys, and a sentence that says the same in words. */

import { chartTable } from "./chart_table.js";
import { colourOf } from "./colours.js";
import { h, s } from "./dom.js";
import { PAPER, isPaper, onPaper } from "./paper.js";
import { onTheme } from "./theme.js";

const FOR_PAPER = 3; // dots of a canvas per pixel
const STILL = 4; // px below which a drag is a click
const painters = new Set();

onPaper(() => {
  for (const paint of painters) paint();
});

/** Return text cut to some pixels, by the mean width of a letter. */
export function fit(text, pixels, letter = 6.3) {
  const most = Math.max(2, Math.floor(pixels / letter));
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) * 0.6);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

/** Draw the lines of an axis across a canvas, below what is drawn next. */
export function gridLines(pen, ticks, left, right) {
  pen.strokeStyle = colourOf("--line");
  pen.lineWidth = 1;
  pen.globalAlpha = 1;
  for (const tick of ticks) {
    if (!tick.text) continue;
    pen.beginPath();
    pen.moveTo(left, Math.round(tick.px) + 0.5);
    pen.lineTo(right, Math.round(tick.px) + 0.5);
    pen.stroke();
  }
}

/** Open the page of a point: in a new tab with Ctrl, Cmd or the middle button. */
export function follow(href, event) {
  if (!href) return;
  if (event && (event.ctrlKey || event.metaKey || event.button === 1)) window.open(href, "_blank", "noopener");
  else window.location.assign(href);
}

/**
 * Put a chart into `host`: `{node, stage, canvas, svg, layer, note, redraw(), say(text), hide(), destroy()}`.
 *
 * `options`: `kind` (a class), `name` (what it is called until `say` tells more), `height(width)`, `least()` (px; a narrower host scrolls), `draw(size, parts)` draws all,
 * `pick(x, y)` gives the index under the pointer or -1, `order()` the indices in the order of the keys,
 * `spot(index)` `{x, y, lines, mark, free}` of one (mark: an SVG element; a free one's hint lies at the pointer),
 * `href(index)` its page or null; `acts` tells that the SVG holds parts that take the focus.
 */
export function chartFrame(host, options) {
  const canvas = h("canvas", { class: "chart-canvas", "aria-hidden": "true" });
  const svg = s("svg", { class: "chart-svg", ...(options.acts ? { role: "group" } : { "aria-hidden": "true" }) });
  const layer = s("g", { class: "chart-hover", "aria-hidden": "true" });
  const tip = h("div", { class: "chart-tip", hidden: true });
  const said = h("div", { class: "offscreen", "aria-live": "polite" });
  const stage = h("div", { class: "chart-stage", "aria-label": options.name }, canvas, svg, tip);
  const note = h("p", { class: "chart-note" });
  const values = options.spot ? chartTable(() => valuesOf(options, stage.getAttribute("aria-label"))) : null;
  const node = h("div", { class: `chart chart-${options.kind}` }, h("div", { class: "chart-scroll" }, stage), note, values?.node, said);
  host.replaceChildren(node);
  const parts = { node, stage, canvas, svg, layer, note, tip, values };
  const redraw = painter(parts, options);
  const marked = options.spot ? hovering(parts, options, said) : { hide() {} };
  return {
    ...parts,
    redraw,
    hide: marked.hide,
    say: (text) => stage.setAttribute("aria-label", text),
    destroy() {
      redraw.stop();
      node.remove();
    },
  };
}

// A point has the same words as in the hint beside it.
function valuesOf(options, caption) {
  const rows = options.order().map((index) => options.spot(index)?.lines ?? []).filter((lines) => lines.length);
  return { caption, heads: ["point", "values"], rows: rows.map(([name, ...lines]) => [name, lines.join(" · ")]) };
}

function leastOf(options) {
  return options.least?.() ?? 0;
}

function painter(parts, options) {
  let due = 0;
  let width = 0;
  const paint = () => {
    due = 0;
    const given = isPaper() ? Math.min(parts.node.clientWidth, PAPER) : parts.node.clientWidth;
    if (!given) return;
    width = isPaper() ? given : Math.max(given, leastOf(options));
    const height = Math.round(options.height(width, given));
    const ratio = isPaper() ? FOR_PAPER : Math.max(1, Math.min(2, window.devicePixelRatio || 1));
    parts.stage.style.width = `${width}px`;
    parts.stage.style.height = `${height}px`;
    parts.stage.style.aspectRatio = `${width} / ${height}`; // for paper, whose width no script knows
    if (parts.canvas.width !== Math.round(width * ratio) || parts.canvas.height !== Math.round(height * ratio)) {
      parts.canvas.width = Math.round(width * ratio);
      parts.canvas.height = Math.round(height * ratio);
    }
    const pen = parts.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    parts.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    parts.layer.replaceChildren();
    options.draw({ width, height, given, ratio }, { ...parts, pen });
    parts.svg.append(parts.layer);
    parts.values?.refresh();
  };
  const redraw = () => {
    due ||= requestAnimationFrame(paint);
  };
  const now = () => {
    if (due) cancelAnimationFrame(due);
    paint();
  };
  const sized = new ResizeObserver(() => {
    if (parts.node.clientWidth && Math.max(parts.node.clientWidth, leastOf(options)) !== width) redraw();
  });
  sized.observe(parts.node);
  const unthemed = onTheme(redraw);
  painters.add(now);
  redraw.now = now;
  redraw.stop = () => {
    if (due) cancelAnimationFrame(due);
    sized.disconnect();
    painters.delete(now);
    unthemed();
  };
  return redraw;
}

function hovering(parts, options, said) {
  const { stage, layer, tip } = parts;
  let at = -1;
  const show = (index, byKey = false, pointer = null) => {
    at = index;
    layer.replaceChildren();
    const spot = index < 0 ? null : options.spot(index);
    stage.classList.toggle("is-link", Boolean(spot && options.href?.(index)));
    tip.hidden = !spot;
    if (!spot) return;
    if (spot.mark) layer.append(spot.mark);
    tip.replaceChildren(...spot.lines.map((line, row) => h("div", { class: row ? null : "chart-tip-head" }, line)));
    place(tip, stage, spot.free && pointer ? { x: pointer[0], y: pointer[1] } : spot);
    if (byKey) said.textContent = spot.lines.join(", ");
  };
  const hide = () => show(-1);
  const where = (event) => {
    const area = stage.getBoundingClientRect();
    return [event.clientX - area.left, event.clientY - area.top];
  };
  stage.addEventListener("pointermove", (event) => {
    const pointer = where(event);
    const index = event.buttons ? -1 : options.pick(...pointer);
    if (index !== at) show(index, false, pointer);
  });
  stage.addEventListener("pointerleave", hide);
  stage.addEventListener("blur", hide);
  let pressed = null; // where the button of the pointer went down
  stage.addEventListener("pointerdown", (event) => (pressed = [event.clientX, event.clientY]), { capture: true });
  const open = (event) => {
    if (event.detail && pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > STILL) return; // the end of a drag
    const index = options.pick(...where(event));
    if (index >= 0) follow(options.href?.(index), event);
  };
  stage.addEventListener("click", open);
  stage.addEventListener("auxclick", (event) => event.button === 1 && open(event));
  stage.tabIndex = 0;
  stage.setAttribute("role", "group");
  stage.setAttribute("aria-roledescription", "chart");
  stage.addEventListener("keydown", (event) => {
    if (event.target !== stage) return;
    const order = options.order();
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (event.key === "Enter" && at >= 0) follow(options.href?.(at), event);
    else if (event.key === "Escape") {
      hide();
      return; // the chart may clear more
    } else if (event.key === "Home" || event.key === "End") show(order.at(event.key === "Home" ? 0 : -1) ?? -1, true);
    else if (event.key in steps && order.length) {
      const place = order.indexOf(at);
      const next = place < 0 ? 0 : Math.min(order.length - 1, Math.max(0, place + steps[event.key]));
      show(order[next], true);
    } else return;
    event.preventDefault();
  });
  return { hide };
}

function place(tip, stage, spot) {
  const width = stage.clientWidth;
  const half = tip.offsetWidth / 2;
  const left = Math.min(Math.max(spot.x, half + 2), Math.max(half + 2, width - half - 2));
  const above = spot.y - tip.offsetHeight - 12;
  tip.style.left = `${left - half}px`;
  tip.style.top = `${above >= 0 ? above : spot.y + 14}px`;
}
