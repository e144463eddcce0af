/** Curves of some runs: read once, thinned by the server, then kept up with what the runs log. */

import { getJson } from "./api.js";
import { asNumber } from "./format.js";
import { watch } from "./live.js";
import { nearest } from "./curve_points.js";

const MOST = 2000; // points of a curve that are asked for: more than a chart has pixels

/** Curves of runs by metric. `changed()` is called when points have come; `ended(run, status)` when a run's status is another. */
export class LiveCurves {
  constructor(context, { changed, ended = () => {} }) {
    Object.assign(this, { context, changed, ended });
    this.curves = new Map(); // "run metric" as JSON -> {x, y, marks, unmarked, total}
    this.x = "step";
    this.stopWatching = () => {};
  }

  /** Read curves anew; runs in `running` are followed from where the reading ended. Returns false when a newer reading came. */
  async load(runs, metrics, x, running) {
    this.controller?.abort();
    const mine = new AbortController();
    this.controller = mine;
    const answer = runs.length && metrics.length ? await getJson(this.context.api("curves"), { runs, metrics, x, most: MOST }, mine.signal) : { curves: [], cursors: {} };
    if (mine.signal.aborted) return false;
    this.stopWatching();
    this.x = x;
    this.metrics = new Set(metrics);
    this.curves = new Map(answer.curves.map((curve) => [keyOf(curve.run, curve.metric), { x: curve.x, y: curve.y, marks: curve.marks || [], unmarked: (curve.lost || 0) - (curve.marks || []).length, total: curve.total }]));
    const followed = Object.fromEntries(running.map((run) => [run, answer.cursors[run] ?? null]));
    this.stopWatching = running.length ? watch({ store: this.context.store, runs: followed }, { points: (news) => this.take(news), run: ({ run, status }) => this.ended(run, status), gone: ({ run }) => this.ended(run, "gone") }) : () => {};
    return true;
  }

  /** Return a curve, one without points when the run has no such metric. */
  get(run, metric) {
    return this.curves.get(keyOf(run, metric)) || { x: [], y: [], marks: [], total: 0 };
  }

  stop() {
    this.controller?.abort();
    this.stopWatching();
  }

  take({ run, lines, whole, status }) {
    if (whole) for (const metric of this.metrics) this.curves.delete(keyOf(run, metric));
    for (const [step, seconds, values] of lines) {
      const x = this.x === "time" ? seconds : this.x === "epoch" ? asNumber(values.epoch) ?? step : step;
      for (const [metric, value] of Object.entries(values)) if (this.metrics.has(metric)) this.put(run, metric, x, value);
    }
    if (lines.length || whole) this.changed();
    if (status && status !== "running") this.ended(run, status);
  }

  put(run, metric, x, value) {
    const key = keyOf(run, metric);
    if (!this.curves.has(key)) this.curves.set(key, { x: [], y: [], marks: [], total: 0 });
    const curve = this.curves.get(key);
    const number = asNumber(value);
    const y = Number.isFinite(number) ? number : null;
    if (y === null) curve.marks.push([x, String(value)]);
    insert(curve, x, y);
    curve.total += 1;
  }
}

// A run that went on from a checkpoint logs some steps again: the later value counts.
function insert(curve, x, y) {
  const last = curve.x.length - 1;
  if (last < 0 || x > curve.x[last]) {
    curve.x.push(x);
    curve.y.push(y);
    return;
  }
  const at = nearest(curve.x, x);
  if (curve.x[at] === x) curve.y[at] = y;
  else {
    const place = curve.x[at] < x ? at + 1 : at;
    curve.x.splice(place, 0, x);
    curve.y.splice(place, 0, y);
  }
}

function keyOf(run, metric) {
  return JSON.stringify([run, metric]);
}
