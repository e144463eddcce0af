/** Values as text: few digits where they are read, the exact value where the pointer rests. Non-finite numbers arrive as the texts "NaN", "Infinity" and "-Infinity". */

import { h } from "./dom.js";

const APART = 100;
const NON_FINITE = { NaN: "NaN", Infinity: "∞", "-Infinity": "−∞" };

/** Return the number a value stands for, with the texts of non-finite ones read; null when it is no number. */
export function asNumber(value) {
  if (typeof value === "number") return value;
  if (value === "NaN") return NaN;
  if (value === "Infinity") return Infinity;
  if (value === "-Infinity") return -Infinity;
  return null;
}

/** Return a number with few digits: "0.8421", "1.2e-5", "12345"; whole numbers below ten million keep all of theirs. */
export function number(value, digits = 4) {
  const found = asNumber(value);
  if (found === null) return value === null || value === undefined ? "" : String(value);
  if (!Number.isFinite(found)) return NON_FINITE[String(found)];
  if (Number.isInteger(found) && Math.abs(found) < 1e7) return String(found);
  const size = Math.abs(found);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) {
    const [mantissa, exponent] = found.toExponential(digits - 1).split("e");
    return `${shorter(mantissa)}e${exponent.replace("+", "")}`;
  }
  return size >= 10 ** digits ? String(Math.round(found)) : shorter(found.toPrecision(digits));
}

/**
 * Return how many decimals the numbers of one column are shown with, so that they line up: four digits of the largest, fewer where
 * none needs them. Null when the numbers are whole, or the largest is more than a hundred times the smallest: then each has its own digits.
 * Not for what was swept on a logarithmic scale: 0.0001, 0.001 and 0.01 say more than 0.0100.
 */
export function columnDecimals(values) {
  let largest = 0;
  let smallest = Infinity;
  let whole = true;
  const known = [];
  for (const value of values) {
    const found = asNumber(isSeeds(value) ? value.mean : value);
    if (found === null || !Number.isFinite(found)) continue;
    known.push(found);
    whole &&= Number.isInteger(found);
    largest = Math.max(largest, Math.abs(found));
    if (found !== 0) smallest = Math.min(smallest, Math.abs(found));
  }
  if (whole || largest > APART * smallest || largest >= 1e7 || largest < 1e-4) return null;
  const most = Math.max(0, 4 - Math.ceil(Math.log10(largest) - 1e-12));
  let needed = 0;
  for (const value of known) {
    const digits = value.toFixed(most).replace(/\.?0+$/, "");
    if (digits.includes(".")) needed = Math.max(needed, digits.length - digits.indexOf(".") - 1);
    if (needed === most) break;
  }
  return needed;
}

/** Return a value as text, with so many decimals when it is a number; null decimals: as `text`. */
export function fixed(value, decimals) {
  if (decimals === null || decimals === undefined) return text(value);
  if (isSeeds(value)) return value.n > 1 && value.std !== null ? `${fixed(value.mean, decimals)} ± ${fixed(value.std, decimals)}` : fixed(value.mean, decimals);
  const found = asNumber(value);
  if (found === null || !Number.isFinite(found)) return text(value);
  const digits = found.toFixed(decimals);
  return found !== 0 && Number(digits) === 0 ? number(found, 2) : digits; // a small value is not none
}

/** Return any value as text: few digits for numbers, true and false, lists with commas, "" for none. */
export function text(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return number(value);
  if (typeof value === "string") return Object.hasOwn(NON_FINITE, value) ? NON_FINITE[value] : value;
  if (isSeeds(value)) return value.n > 1 && value.std !== null ? `${number(value.mean)} ± ${number(value.std, 2)}` : number(value.mean);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Return a value in full. */
export function exact(value) {
  if (value === null || value === undefined) return "";
  if (isSeeds(value)) return `mean ${exact(value.mean)}, standard deviation ${exact(value.std)}, ${value.n} runs`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Return an element that shows a value, with the exact one on hover where the text says less; `decimals` as `columnDecimals` tells. `make` is `h`, or `described`. */
export function shown(value, decimals = null, make = h) {
  const brief = fixed(value, decimals);
  const full = exact(value);
  const numeric = asNumber(value) !== null || isSeeds(value);
  return make("span", { class: numeric ? "num" : null, title: brief === full ? null : full }, brief);
}

/** Return seconds as people say them: "0.35 s", "42 s", "3m 20s", "2h 05m", "3d 4h". */
export function duration(seconds) {
  const found = asNumber(seconds);
  if (found === null) return "";
  if (!Number.isFinite(found)) return number(found);
  if (found < 0) return `−${duration(-found)}`;
  if (found < 9.95) return `${shorter(found.toPrecision(2))} s`;
  const whole = Math.round(found);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d ${Math.floor((whole % 86400) / 3600)}h`;
}

/** Return an element that shows seconds, exact on hover; `make` as for `shown`. */
export function durationShown(seconds, make = h) {
  const found = asNumber(seconds);
  return make("span", { class: "num", title: found === null ? null : `${found} seconds` }, duration(seconds));
}

/** Return a size: "812 B", "3.4 kB", "1.2 GB" (powers of 1000). */
export function bytes(size) {
  if (size === null || size === undefined) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = size;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : shorter(value.toPrecision(3))} ${units[unit]}`;
}

/** Return how long ago a time was: "just now", "3 min ago", "5 h ago", "4 days ago", else the date. */
export function ago(iso, now = Date.now()) {
  const then = Date.parse(iso);
  if (Number.isNaN(then)) return text(iso);
  const passed = (now - then) / 1000;
  if (passed < 5) return "just now";
  if (passed < 60) return `${Math.floor(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86400) return `${Math.floor(passed / 3600)} h ago`;
  if (passed < 2 * 86400) return "yesterday";
  if (passed < 30 * 86400) return `${Math.floor(passed / 86400)} days ago`;
  const date = new Date(then);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Return a time in full, of this reader's place: "2026-11-30 09:12:03 (UTC+01:00)". */
export function exactTime(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return text(iso);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? "−" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} (UTC${zone})`;
}

/** Return an element that shows how long ago a time was, exact on hover; `refreshTimes` keeps it true. `make` as for `shown`. */
export function timeShown(iso, make = h) {
  if (!iso) return make("span", null, "");
  return make("time", { datetime: iso, title: exactTime(iso), "data-ago": "1" }, ago(iso));
}

/** Bring all times of a part of the page up to now. */
export function refreshTimes(root) {
  const now = Date.now();
  for (const element of root.querySelectorAll("time[data-ago]")) {
    const words = ago(element.dateTime, now);
    if (element.textContent !== words) element.textContent = words;
  }
}

/** Return an element with a status: a coloured dot and the word. `make` as for `shown`. */
export function statusShown(status, make = h) {
  return make("span", { class: "status", "data-status": String(status) }, make("i", { class: "dot", "aria-hidden": "true" }), String(status));
}

/** Return a count with its noun: "1 run", "12 runs", "10,000 runs". */
export function counted(count, one, many = `${one}s`) {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** Return a whole number with commas. */
export function grouped(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

function isSeeds(value) {
  return value !== null && typeof value === "object" && "mean" in value && "n" in value;
}

function shorter(digits) {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}

function two(value) {
  return String(value).padStart(2, "0");
}

/** Return words as a sentence. */
export function sentence(words) {
  return `${words[0].toUpperCase()}${words.slice(1)}${words.endsWith("?") ? "" : "."}`;
}
