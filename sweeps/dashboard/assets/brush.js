/** Ranges picked along an axis, by pointer, finger or keys. A range is kept in values, so that it outlives a new scale. */

import { s } from "./dom.js";

const EDGE = 7; // px at which a range is stretched instead of moved
const STILL = 4; // px below which a drag is a click

/** Return whether a pixel of an axis lies in one of its ranges. */
export function isPicked(brushes, axis, pixel) {
  return brushes.some((brush) => {
    const [top, bottom] = pixelsOf(brush, axis);
    return pixel >= top - 0.5 && pixel <= bottom + 0.5;
  });
}

/** Return the pixels of a range, top first. */
function pixelsOf(brush, axis) {
  const { scale } = axis;
  const ends = [];
  if (scale.kind === "category") {
    const half = scale.step / 2;
    for (const name of brush.names ?? []) {
      const middle = scale.at(name);
      if (middle !== null) ends.push(middle - half, middle + half);
    }
  } else if (brush.values) ends.push(...brush.values.map((value) => place(scale, value, axis)));
  if (brush.missing) ends.push(axis.missing - EDGE, axis.missing + EDGE);
  return ends.length ? [Math.min(...ends), Math.max(...ends)] : [-9, -9];
}

function place(scale, value, axis) {
  if (value === -Infinity || value === Infinity) return value < 0 === scale.invert(axis.bottom) < scale.invert(axis.top) ? axis.bottom : axis.top;
  return Math.min(axis.bottom, Math.max(axis.top, scale.at(value) ?? axis.bottom));
}

/** Return the range between two pixels; categories snap to whole ones, an end of the axis means all beyond. */
function rangeOf(first, second, axis) {
  const [top, bottom] = [Math.min(first, second), Math.max(first, second)];
  const missing = axis.missing > axis.bottom && bottom >= axis.missing - EDGE;
  const { scale } = axis;
  if (top > axis.bottom + 1) return { missing: true };
  if (scale.kind === "category") {
    const half = scale.step / 2;
    return { names: scale.names.filter((name) => scale.at(name) + half * 0.6 >= top && scale.at(name) - half * 0.6 <= bottom), missing };
  }
  const low = bottom >= axis.bottom - 1 ? -Infinity : scale.invert(bottom);
  const high = top <= axis.top + 1 ? Infinity : scale.invert(top);
  return { values: [low, high], missing };
}

/**
 * Return the part of an axis that takes ranges; `brushes` maps the key of an axis to its ranges, `change()` draws anew.
 *
 * Dragging makes a range, moves one or stretches its end; a click on one removes it. With keys: up and down move, with
 * Shift they stretch, Delete and Escape remove.
 */
export function brushAxis(axis, brushes, change) {
  const key = axis.column.key;
  const mine = brushes.get(key) ?? [];
  const node = s("g", {
    class: "brush", tabindex: 0, role: "slider", "aria-orientation": "vertical", "aria-label": `Range of ${axis.column.label}`,
    "aria-valuetext": mine.length ? mine.map((brush) => wordsOf(brush, axis)).join(" or ") : "all", "aria-valuenow": mine.length, "aria-valuemin": 0, "aria-valuemax": Math.max(1, mine.length),
  });
  node.dataset.key = key;
  const lower = Math.max(axis.bottom, axis.missing) + 8;
  node.append(
    s("rect", { class: "brush-area", x: axis.x - 16, y: axis.top - 8, width: 32, height: lower - axis.top + 8 }),
    ...mine.map((brush) => {
      const [top, bottom] = pixelsOf(brush, axis);
      return s("rect", { class: "brush-range", x: axis.x - 7, y: top, width: 14, height: Math.max(3, bottom - top), rx: 2 });
    }),
  );
  node.addEventListener("pointerdown", (event) => drag(event, node, axis, brushes, change));
  node.addEventListener("click", (event) => event.stopPropagation()); // a click here opens no run
  node.addEventListener("keydown", (event) => byKey(event, axis, brushes, change));
  return node;
}

function wordsOf(brush, axis) {
  if (brush.names) return [...brush.names, ...(brush.missing ? ["not set"] : [])].join(", ");
  if (!brush.values) return "not set";
  const [low, high] = brush.values.map((value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : ""));
  return `${low || "lowest"} to ${high || "highest"}${brush.missing ? " or not set" : ""}`;
}

function drag(event, node, axis, brushes, change) {
  if (event.button) return;
  const svg = node.ownerSVGElement;
  const scroll = () => svg.getBoundingClientRect();
  const y = (each) => each.clientY - scroll().top;
  const key = axis.column.key;
  const before = brushes.get(key) ?? [];
  const start = y(event);
  const held = before.findIndex((brush) => {
    const [top, bottom] = pixelsOf(brush, axis);
    return start >= top - EDGE / 2 && start <= bottom + EDGE / 2;
  });
  const [top, bottom] = held >= 0 ? pixelsOf(before[held], axis) : [start, start];
  const isTop = held >= 0 && Math.abs(start - top) < EDGE && bottom - top > EDGE;
  const isBottom = held >= 0 && Math.abs(start - bottom) < EDGE && bottom - top > EDGE;
  const others = before.filter((_, index) => index !== held);
  let moved = false;
  const move = (each) => {
    const by = y(each) - start;
    if (!moved && Math.abs(by) < STILL) return;
    moved = true;
    const ends = held < 0 ? [start, start + by] : isTop ? [top + by, bottom] : isBottom ? [top, bottom + by] : [top + by, bottom + by];
    brushes.set(key, [...others, rangeOf(...ends, axis)]);
    change(false);
  };
  const end = () => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", end);
    window.removeEventListener("pointercancel", end);
    if (!moved) {
      if (others.length && held >= 0) brushes.set(key, others);
      else brushes.delete(key);
    }
    change();
    focusAxis(svg, key);
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", end);
  window.addEventListener("pointercancel", end);
  event.preventDefault();
}

function byKey(event, axis, brushes, change) {
  const key = axis.column.key;
  const mine = brushes.get(key) ?? [];
  const isCategory = axis.scale.kind === "category";
  const step = isCategory ? axis.scale.step : (axis.bottom - axis.top) / 20;
  const first = isCategory ? step : 5 * step;
  const svg = event.currentTarget.ownerSVGElement;
  if (event.key === "Delete" || event.key === "Backspace" || (event.key === "Escape" && mine.length)) brushes.delete(key);
  else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    const by = event.key === "ArrowUp" ? -step : step;
    let [top, bottom] = mine.length ? pixelsOf(mine.at(-1), axis) : by < 0 ? [axis.bottom - first, axis.bottom] : [axis.top, axis.top + first];
    if (mine.length) [top, bottom] = event.shiftKey ? [top + Math.min(0, by), bottom + Math.max(0, by)] : [top + by, bottom + by];
    const shrink = isCategory ? step * 0.35 : 0;
    brushes.set(key, [...mine.slice(0, -1), rangeOf(Math.max(axis.top, top + shrink), Math.min(axis.bottom, bottom - shrink), axis)]);
  } else return;
  event.preventDefault();
  event.stopPropagation();
  change();
  focusAxis(svg, key);
}

/** Give the focus to the axis of a key. */
export function focusAxis(svg, key) {
  for (const node of svg.querySelectorAll(".brush")) if (node.dataset.key === key) node.focus({ preventScroll: true });
}
