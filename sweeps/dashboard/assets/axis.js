/** Scales from values to pixels, with round ticks: linear, logarithmic, categories spread evenly, and durations. Colours of results. */

import { colourOf, valueScale } from "./colours.js";
import { number } from "./format.js";

const MANY = 20; // results, of which some may count as far off
const FEW = 0.05; // of them
const FAR_OUT = 1e5; // px, beyond any plot
const HOPELESS = 3; // times the reach, beyond which the others would look the same

/** Return the number that a value of the API stands for ("NaN" and "Infinity" too), or undefined for anything else. */
export function toNumber(value) {
  if (typeof value === "number") return value;
  if (value === "NaN") return NaN;
  if (value === "Infinity") return Infinity;
  if (value === "-Infinity") return -Infinity;
  if (typeof value === "string" && /^-?\d{16,}$/.test(value)) return Number(value);
  return undefined;
}

export function isFiniteValue(value) {
  return Number.isFinite(toNumber(value));
}

/** Return the name of a category: text as it is, lists and objects as JSON. */
export function nameOf(value) {
  if (value === null || value === undefined) return "not set";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Return "linear", "log" or "category" for values of which only these are known: log where most of them span many times the least. */
export function guessScale(values) {
  const known = [];
  const distinct = new Set();
  for (const value of values) {
    if (value === null || value === undefined) continue;
    const found = toNumber(value);
    if (found === undefined) return "category";
    if (!Number.isFinite(found)) continue;
    if (found <= 0) return values.every((each) => each === null || each === undefined || toNumber(each) !== undefined) ? "linear" : "category";
    known.push(found);
    if (distinct.size < 10) distinct.add(found);
  }
  if (!known.length) return "linear";
  if (distinct.size < 10) {
    const sorted = [...distinct].sort((a, b) => a - b);
    return sorted.at(-1) / sorted[0] >= 80 || isGeometric(sorted) ? "log" : "linear";
  }
  const step = Math.ceil(known.length / 400);
  const sample = known.filter((_, index) => index % step === 0).sort((a, b) => a - b);
  return sample[Math.floor(0.9 * (sample.length - 1))] / sample[Math.floor(0.1 * (sample.length - 1))] >= 30 ? "log" : "linear";
}

function isGeometric(sorted) {
  if (sorted.length < 3 || sorted.at(-1) / sorted[0] < 7.9) return false;
  const ratios = sorted.slice(1).map((value, index) => value / sorted[index]);
  return Math.max(...ratios) / Math.min(...ratios) < 1.3;
}

function short(text) {
  const [mantissa, exponent] = text.split("e");
  const plain = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return exponent === undefined ? plain : `${plain}e${Number(exponent)}`;
}

/** Return a round step of 1, 2 or 5 times a power of ten, so that about `count` of them cover `span`. */
export function roundStep(span, count) {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const lead = raw / power;
  return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power;
}

/** Return the round numbers within two ends, as `{at, text}`, all with as many decimals. */
export function linearTicks(low, high, count, whole = false) {
  let step = roundStep(high - low, count);
  if (whole) step = Math.max(1, Math.round(step));
  const decimals = Math.max(0, Math.min(12, -Math.floor(Math.log10(step) + 1e-9)));
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) {
    const at = index * step;
    ticks.push({ at, text: tickText(at, decimals, Math.max(Math.abs(low), Math.abs(high))) });
  }
  return ticks;
}

function tickText(value, decimals, size) {
  if (Math.abs(value) < 1e-300) return "0";
  if (size >= 1e9 || size < 1e-3) return short(value.toExponential(2));
  if (size >= 1e6) return `${short((value / 1e6).toFixed(3))}M`;
  if (size >= 1e4) return `${short((value / 1e3).toFixed(3))}k`;
  return value.toFixed(decimals);
}

function powerText(value) {
  if (value >= 1e6) return `1e${Math.round(Math.log10(value))}`;
  if (value >= 1e4) return `${short((value / 1e3).toFixed(1))}k`;
  if (value >= 100) return String(Math.round(value));
  return value >= 1e-3 ? short(value.toPrecision(3)) : short(value.toExponential(1));
}

/** Return powers of ten within two ends, or the 1, 2 and 5 of each where there are few; minor ticks have no text. */
export function logTicks(low, high, count) {
  const decades = Math.log10(high / low);
  if (decades < 0.7) return linearTicks(low, high, count);
  const skip = Math.max(1, Math.ceil((decades + 0.5) / count));
  const leads = decades < count / 3 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power++) {
    for (let lead = 1; lead < 10; lead++) {
      const at = lead * 10 ** power;
      if (at < low * (1 - 1e-9) || at > high * (1 + 1e-9)) continue;
      const named = leads.includes(lead) && (leads.length > 1 || power % skip === 0);
      if (named || (decades < 6 && skip === 1)) ticks.push({ at, text: named ? powerText(at) : "" });
    }
  }
  return ticks;
}

const SPANS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/** Return round durations from 0 to `seconds` as `{at, text}`. */
export function timeTicks(seconds, count) {
  if (seconds <= count) return linearTicks(0, seconds, count).map((tick) => ({ ...tick, text: tick.at ? `${tick.text} s` : "0" }));
  let step = SPANS.find((each) => seconds / each <= count);
  step ??= 86400 * Math.max(1, Math.round(roundStep(seconds / 86400, count)));
  const ticks = [];
  for (let at = 0; at <= seconds; at += step) ticks.push({ at, text: at ? clock(at, step) : "0" });
  return ticks;
}

function clock(seconds, step) {
  if (step < 60) return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
  if (step < 3600) {
    const minutes = seconds / 60;
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
  }
  return step < 86400 ? `${seconds / 3600} h` : `${seconds / 86400} d`;
}

/**
 * Return the scale of a column of values between two pixels: `{kind, at(value), ticks, names, lost(value), beyond(value)}`.
 *
 * `at` is null for a value that has no place (not set, NaN). With `bounds` `[low, high]` values outside of them lie at the
 * edge, or without `clamp` as far out as they are, and `beyond` says so. A few values at least `apart` pixels from each other are the ticks themselves. Categories keep numbers in their order and text in the order of the alphabet.
 */
export function makeScale(values, kind, from, to, { ticks = 5, bounds = null, pad = 0.03, apart = 0, clamp = true } = {}) {
  if (kind === "category") return categoryScale(values, from, to, ticks);
  const finite = values.map(toNumber).filter(Number.isFinite);
  const used = kind === "log" ? finite.filter((value) => value > 0) : finite;
  if (!used.length) return { kind, at: () => null, ticks: [], beyond: () => false, low: 0, high: 1, invert: () => 0 };
  let [low, high] = bounds ?? extent(used);
  const isLog = kind === "log";
  if (low === high) [low, high] = isLog ? [low / 2, high * 2] : [low - (Math.abs(low) || 1) / 4, high + (Math.abs(high) || 1) / 4];
  const into = isLog ? Math.log10 : (value) => value;
  const out = isLog ? (value) => 10 ** value : (value) => value;
  const margin = (into(high) - into(low)) * pad;
  const [start, end] = [into(low) - margin, into(high) + margin];
  const place = (value) => from + ((into(value) - start) / (end - start)) * (to - from);
  const beyond = (value) => toNumber(value) < low || toNumber(value) > high;
  const at = (value) => {
    const known = toNumber(value);
    if (!Number.isFinite(known) || (isLog && known <= 0)) return null;
    if (!clamp) return Math.min(Math.max(place(known), -FAR_OUT), FAR_OUT);
    return place(Math.min(Math.max(known, low), high));
  };
  const whole = !isLog && used.every(Number.isInteger);
  const few = apart ? fewValues(used) : [];
  const wide = few.every((value, index) => !index || Math.abs(place(value) - place(few[index - 1])) >= apart);
  const round = isLog ? logTicks(out(start), out(end), ticks) : linearTicks(start, end, ticks, whole);
  const marks = few.length && wide ? few.map((value) => ({ at: value, text: number(value, 3) })) : round;
  return {
    kind, at, beyond, low, high,
    ticks: marks.map((tick) => ({ ...tick, px: place(tick.at) })),
    invert: (px) => out(start + ((px - from) / (to - from)) * (end - start)),
  };
}

/** Return the values themselves, in order, where they are so few that they say more than round numbers. */
function fewValues(values) {
  const distinct = new Set();
  for (const value of values) if (distinct.add(value).size > 8) return [];
  return [...distinct].sort((a, b) => a - b);
}

function categoryScale(values, from, to, most) {
  const byName = new Map();
  for (const value of values) if (value !== null && value !== undefined) byName.set(nameOf(value), value);
  const names = [...byName.keys()].sort(byNumberOrName);
  const step = (to - from) / Math.max(1, names.length);
  const places = new Map(names.map((name, index) => [name, from + (index + 0.5) * step]));
  const every = Math.ceil(names.length / Math.max(1, most));
  return {
    kind: "category", names, step: Math.abs(step), beyond: () => false,
    at: (value) => (value === null || value === undefined ? null : places.get(nameOf(value)) ?? null),
    ticks: names.map((name, index) => ({ at: name, text: index % every ? "" : name, px: places.get(name) })),
  };
}

function byNumberOrName(first, second) {
  const [a, b] = [Number(first), Number(second)];
  if (first !== "" && second !== "" && !Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  return first.localeCompare(second, "en", { numeric: true });
}

export function extent(numbers) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of numbers) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/**
 * Return the ends of results that a person wants to see. A job that exploded would else press all others together.
 *
 * Where there are many results, those further from the best than `reach` times the median are left out if they are few, or so
 * far that nothing else could be told apart. Without a direction both ends are kept as they are.
 */
export function resultBounds(values, mode, reach = 4) {
  const finite = values.map(toNumber).filter(Number.isFinite).sort((a, b) => a - b);
  if (!finite.length) return null;
  if (mode !== "max" && mode !== "min") return [finite[0], finite.at(-1)];
  if (mode === "max") finite.reverse();
  const [best, middle, worst] = [finite[0], finite[finite.length >> 1], finite.at(-1)];
  const far = reach * Math.abs(middle - best);
  const outside = finite.filter((value) => Math.abs(value - best) > far).length;
  const isFar = far > 0 && (outside <= FEW * finite.length || Math.abs(worst - best) > HOPELESS * far);
  const end = finite.length >= MANY && isFar && outside ? (mode === "max" ? best - far : best + far) : worst;
  return [Math.min(best, end), Math.max(best, end)];
}

/** Return the index of the best finite value, or -1. */
export function bestIndex(values, mode) {
  let best = -1;
  values.forEach((value, index) => {
    const known = toNumber(value);
    if (!Number.isFinite(known)) return;
    if (best < 0 || (mode === "min" ? known < toNumber(values[best]) : known > toNumber(values[best]))) best = index;
  });
  return best;
}

/** Return the colours of results, `colour(value)`, `high`, `low` and whether some lie `beyond`; one for a value that is no number as well. */
export function resultColours(values, mode) {
  const numbers = values.map((value) => toNumber(value) ?? NaN);
  const scale = valueScale(numbers, { highIsGood: mode !== "min" });
  const none = colourOf("--line");
  const known = new Map();
  return {
    low: scale.low,
    high: scale.high,
    beyond: scale.beyond,
    colour(value) {
      const result = toNumber(value);
      if (!Number.isFinite(result)) return none;
      let found = known.get(result);
      if (!found) known.set(result, (found = scale.colour(result)));
      return found;
    },
  };
}
