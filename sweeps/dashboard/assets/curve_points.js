/** Points of curves as a chart needs them: one x for all, smoothed, with the mean and the span of several seeds. Pure functions on plain arrays. */

const LARGEST = 1e300; // the distance of two such numbers is a number

/**
 * Return curves on one x: {x, ys}. `curves`: [{x, y}] with rising x; y is a number, or null where the value is not finite.
 * A point that a curve does not have is undefined (a line goes on over it); null stays (a line breaks there).
 */
export function aligned(curves) {
  const shown = curves.filter((curve) => curve.x.length);
  if (!shown.length) return { x: [], ys: curves.map(() => []) };
  const first = shown[0].x;
  if (shown.every((curve) => sameNumbers(curve.x, first))) return { x: first, ys: curves.map((curve) => (curve.x.length ? curve.y : new Array(first.length).fill(undefined))) };
  const x = union(shown.map((curve) => curve.x));
  const ys = curves.map((curve) => {
    const y = new Array(x.length).fill(undefined);
    let at = 0;
    for (let index = 0; index < curve.x.length; index += 1) {
      while (x[at] < curve.x[index]) at += 1;
      y[at] = curve.y[index];
    }
    return y;
  });
  return { x, ys };
}

/**
 * Return values smoothed by an exponential moving average, with the bias of its start taken out: the first value is itself.
 * `weight` in [0, 1) is how much the past counts, per point. Values that are null stay so.
 */
export function smoothed(values, weight) {
  if (!weight) return values;
  let sum = 0;
  let norm = 0;
  return values.map((value) => {
    if (value === null || value === undefined) return value;
    sum = weight * sum + (1 - weight) * value;
    norm = weight * norm + (1 - weight);
    return sum / norm;
  });
}

/** Return the curves without values so large that a chart cannot span them: they are null, and marked as those that are not finite. */
export function bounded(curves) {
  const isBeyond = (value) => value > LARGEST || value < -LARGEST;
  return curves.map((curve) => {
    if (!curve.y.some(isBeyond)) return curve;
    const marks = [...(curve.marks || [])];
    const y = curve.y.map((value, index) => {
      if (!isBeyond(value)) return value;
      marks.push([curve.x[index], String(value)]);
      return null;
    });
    return { ...curve, y, marks };
  });
}

/** Return the curves without what a logarithmic axis cannot show, and how many points that are. */
export function positive(curves, { x = false, y = false }) {
  if (!x && !y) return { curves, dropped: 0 };
  let dropped = 0;
  const kept = curves.map((curve) => {
    const from = x ? curve.x.findIndex((value) => value > 0) : 0;
    const start = from < 0 ? curve.x.length : from;
    dropped += start;
    const values = curve.y.slice(start).map((value) => {
      if (!y || value === null || value === undefined || value > 0) return value;
      dropped += 1;
      return null;
    });
    return { ...curve, x: curve.x.slice(start), y: values };
  });
  return { curves: kept, dropped };
}

/**
 * Return the mean, the lowest and the highest of several curves at each x that one of them has: {x, low, mid, high, n}.
 * Between its own points a curve is taken as straight; before its first and after its last it does not count.
 */
export function band(curves) {
  const shown = curves.filter((curve) => curve.x.length);
  const x = union(shown.map((curve) => curve.x));
  const sums = new Float64Array(x.length);
  const counts = new Uint16Array(x.length);
  const low = new Array(x.length).fill(null);
  const high = new Array(x.length).fill(null);
  for (const curve of shown) {
    const values = onto(curve, x);
    for (let index = 0; index < x.length; index += 1) {
      const value = values[index];
      if (value === null) continue;
      sums[index] += value;
      counts[index] += 1;
      if (low[index] === null || value < low[index]) low[index] = value;
      if (high[index] === null || value > high[index]) high[index] = value;
    }
  }
  return { x, low, high, mid: Array.from(sums, (sum, index) => (counts[index] ? sum / counts[index] : null)), n: counts };
}

/** Return the index of the value nearest to `wanted` in rising numbers, -1 for none. */
export function nearest(x, wanted) {
  if (!x.length) return -1;
  let low = 0;
  let high = x.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] < wanted) low = middle;
    else high = middle;
  }
  return wanted - x[low] <= x[high] - wanted ? low : high;
}

// The values of a curve at each of `x`, null outside of it.
function onto(curve, x) {
  const found = new Array(x.length).fill(null);
  const { x: own, y } = curve;
  const last = own[own.length - 1];
  let at = 0;
  for (let index = 0; index < x.length; index += 1) {
    const place = x[index];
    if (place < own[0] || place > last) continue;
    while (at < own.length - 1 && own[at + 1] <= place) at += 1;
    if (own[at] === place || at === own.length - 1) found[index] = y[at] ?? null;
    else if (y[at] !== null && y[at + 1] !== null) found[index] = y[at] + ((y[at + 1] - y[at]) * (place - own[at])) / (own[at + 1] - own[at]);
  }
  return found;
}

function union(lists) {
  let length = 0;
  for (const list of lists) length += list.length;
  const all = new Float64Array(length);
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  all.sort();
  const found = [];
  for (let index = 0; index < length; index += 1) if (index === 0 || all[index] !== all[index - 1]) found.push(all[index]);
  return found;
}

function sameNumbers(one, other) {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index += 1) if (one[index] !== other[index]) return false;
  return true;
}
