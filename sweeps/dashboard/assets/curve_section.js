/** Curves of one or many runs with their controls: which metrics, smoothing, axes, bands over seeds. The address holds them all. */

import { add, h, put, whenVisible } from "./dom.js";
import { choice, pickMenu, slider, toggle } from "./controls.js";
import { curveChart } from "./curve_chart.js";
import { LiveCurves } from "./live_curves.js";
import { changeParams } from "./router.js";
import { emptyState, failedState, loadingState } from "./states.js";

const CHARTS = 24; // so many at most: each is a canvas
const TALL = 360;
const LOW = 240;

/**
 * Draw curves into `host`. `address` is the page's; `options`: `names`: all metrics, `first`: those shown when the address names none,
 * `runs`: [{id, label, status, colour, href, group, groupLabel}], `ended(run, status)`, `drawn()`: called when the curves are there,
 * `news()`: when points have come, `banded(on)`: when seeds become bands or lines again.
 * Returns {setRuns(runs), setNames(names), leave()}.
 */
export function curveSection(host, context, address, options) {
  const section = new CurveSection(host, context, address, options);
  section.load();
  return {
    setRuns: (runs) => section.setRuns(runs),
    setNames: (names) => section.setNames(names),
    leave: () => section.leave(),
  };
}

class CurveSection {
  constructor(host, context, address, options) {
    Object.assign(this, { context, options, runs: options.runs, names: options.names });
    const { params } = address;
    this.metrics = params.getAll("metric");
    this.x = ["epoch", "time"].includes(params.get("x")) ? params.get("x") : "step";
    this.smooth = Math.min(0.99, Math.max(0, Number(params.get("smooth")) || 0));
    this.log = new Set(params.getAll("log"));
    this.bands = params.get("seeds") === "1";
    this.charts = new Map(); // metric -> {box, chart, stop}
    this.curves = new LiveCurves(context, { changed: () => this.changed(), ended: (run, status) => this.ended(run, status) });
    this.bandToggle = toggle("Seeds as bands", this.bands, (on) => this.setBands(on), "Runs that differ in nothing but their seed become one line, their mean, within their lowest and highest");
    this.menu = pickMenu("Metrics", { items: () => this.names.map((name) => ({ name, label: name })), chosen: () => new Set(this.shown()), onpick: (name, on) => this.pick(name, on), placeholder: "Look for a metric" });
    this.place = h("div", { class: "curves" });
    add(
      host,
      h(
        "div",
        { class: "bar" },
        this.menu,
        slider("Smoothing", { min: 0, max: 0.99, step: 0.01, value: this.smooth, say: (value) => value.toFixed(2) }, (value) => this.set({ smooth: value })),
        choice("x", [["step", "step"], ["epoch", "epoch"], ["time", "time"]], this.x, (x) => this.set({ x }, true)),
        toggle("log x", this.log.has("x"), (on) => this.setLog("x", on)),
        toggle("log y", this.log.has("y"), (on) => this.setLog("y", on)),
        this.bandToggle,
      ),
      this.place,
    );
  }

  leave() {
    this.left = true;
    this.curves.stop();
    for (const one of this.charts.values()) this.drop(one);
  }

  shown() {
    const known = this.metrics.filter((name) => this.names.includes(name));
    return (known.length ? known : this.options.first).slice(0, CHARTS);
  }

  setRuns(runs) {
    const before = JSON.stringify(this.runs.map(({ id, status }) => [id, status]));
    this.runs = runs;
    if (before === JSON.stringify(runs.map(({ id, status }) => [id, status]))) this.drawAll();
    else this.load();
  }

  setNames(names) {
    const before = this.shown().join("\n");
    this.names = names;
    if (this.shown().join("\n") !== before || !this.charts.size) this.load();
  }

  set(changes, again = false) {
    Object.assign(this, changes);
    changeParams({ metric: this.metrics, x: this.x === "step" ? null : this.x, smooth: this.smooth ? this.smooth.toFixed(2) : null, log: [...this.log].sort(), seeds: this.bands });
    if (again) this.load();
    else this.drawAll();
  }

  setBands(on) {
    this.set({ bands: on });
    this.options.banded?.(on);
  }

  setLog(axis, on) {
    if (on) this.log.add(axis);
    else this.log.delete(axis);
    this.set({});
  }

  pick(name, on) {
    const now = this.shown();
    const next = on ? [...now, name] : now.filter((one) => one !== name);
    if (next.length) this.set({ metrics: next }, true);
  }

  ended(run, status) {
    this.options.ended?.(run, status);
  }

  async load() {
    const quiet = this.charts.size ? () => {} : loadingState(this.place, "Loading the curves…");
    const metrics = this.shown();
    this.offerBands();
    try {
      const current = await this.curves.load(this.runs.map((run) => run.id), metrics, this.x, this.runs.filter((run) => run.status === "running").map((run) => run.id));
      quiet();
      if (!current || this.left) return;
      this.drawCharts(metrics);
      this.options.drawn?.();
    } catch (error) {
      quiet();
      if (error.name === "AbortError" || this.left) return;
      for (const one of this.charts.values()) this.drop(one);
      this.charts.clear();
      put(this.place, failedState(error, () => this.load()));
      if (!error.kind) console.error(error);
      this.options.drawn?.();
    }
  }

  drawCharts(metrics) {
    if (!metrics.length) {
      put(this.place, emptyState("No curves", "No metric has been logged yet. A curve appears with the first one."));
      return;
    }
    for (const [name, one] of this.charts) {
      if (!metrics.includes(name)) {
        this.drop(one);
        this.charts.delete(name);
      }
    }
    const height = metrics.length === 1 ? TALL : LOW;
    for (const name of metrics) {
      if (this.charts.has(name)) continue;
      const holder = h("div", null);
      const one = { name, box: h("section", { class: "section", "aria-label": name }, h("h3", null, name), holder), chart: null };
      one.stop = whenVisible(one.box, () => (one.chart = curveChart(holder, this.dataOf(name), { ...this.settings(), height, label: name, onHover: (key) => this.hovered(one, key) })));
      this.charts.set(name, one);
    }
    put(this.place, h("div", { class: metrics.length === 1 ? "section" : "columns" }, metrics.map((name) => this.charts.get(name).box)));
    for (const one of this.charts.values()) one.chart?.update(this.dataOf(one.name), { ...this.settings(), height });
  }

  changed() {
    this.drawAll();
    this.options.news?.();
  }

  // What are seeds of one candidate is known later than the runs.
  offerBands() {
    this.bandToggle.hidden = !this.runs.some((run) => run.group !== undefined);
  }

  drawAll() {
    this.offerBands();
    for (const one of this.charts.values()) one.chart?.update(this.dataOf(one.name), this.settings());
  }

  settings() {
    return { x: this.x, smooth: this.smooth, logX: this.log.has("x"), logY: this.log.has("y"), bands: this.bands, legend: this.runs.length > 1 };
  }

  dataOf(metric) {
    const curves = this.runs.map((run, index) => ({ key: run.id, label: run.label, href: run.href, colour: run.colour ?? index, group: run.group, groupLabel: run.groupLabel, ...this.curves.get(run.id, metric) }));
    return { curves: curves.filter((curve) => curve.x.length) };
  }

  hovered(source, key) {
    for (const one of this.charts.values()) if (one !== source) one.chart?.focus(key);
  }

  drop(one) {
    one.stop();
    one.chart?.destroy();
    one.box.remove();
  }
}
