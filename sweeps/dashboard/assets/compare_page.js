/** Some runs beside each other: their curves, what they differ in, and what that did to the result. */

import { add, freshId, h, put, whenVisible } from "./dom.js";
import { getJson, pathOf } from "./api.js";
import { importanceChart } from "./bars_chart.js";
import { button, choice, toggle } from "./controls.js";
import { curveSection } from "./curve_section.js";
import { counted, grouped, text } from "./format.js";
import { quoted } from "./filter_words.js";
import { byInterest } from "./metric_order.js";
import { parallelChart } from "./parallel_chart.js";
import { changeParams } from "./router.js";
import { scatterChart } from "./scatter_chart.js";
import { sideBySide } from "./side_by_side.js";
import { emptyState, loaded } from "./states.js";

const DRAWN = 20; // runs with curves at first
const COLUMNS = 50; // runs side by side
const POINTS = 5000; // runs in parallel coordinates
const FIRST_METRICS = 2;

/** Show the page; its address holds the runs, or the filter that they pass, and what is drawn how. */
export function show(host, address, context) {
  const page = new ComparePage(host, address, context);
  page.start();
  return { leave: () => page.leave() };
}

class ComparePage {
  constructor(host, address, context) {
    Object.assign(this, { host, address, context });
    const { params } = address;
    this.ids = [...new Set(params.getAll("run"))];
    this.byFilter = params.get("all") === "1";
    this.filter = params.get("filter") || "";
    this.experiment = params.get("experiment") || "";
    this.drawn = DRAWN;
    this.onlyDifferent = params.get("same") !== "1";
    this.ends = [];
  }

  start() {
    this.context.title("Compare");
    this.place = h("div", { class: "section compare" });
    this.heading = h("h1", null, "Compare");
    const runs = this.byFilter ? { filter: this.filter, experiment: this.experiment } : {};
    put(this.host, h("div", { class: "head" }, h("span", { class: "crumbs" }, h("a", { href: this.context.link("runs", null, runs) }, "Runs"), " /"), this.heading, (this.filterShown = h("code", { hidden: true }))), this.place);
    if (!this.byFilter && !this.ids.length) {
      put(this.place, emptyState("No runs to compare", "Select some in the table of runs, then press Compare.", h("a", { class: "button primary", href: this.context.link("runs") }, "Go to the runs")));
      this.context.ready("compare");
      return;
    }
    this.loading = loaded(this.place, (signal) => this.read(signal), (answer) => this.draw(answer));
  }

  leave() {
    this.left = true;
    this.loading?.stop();
    this.clear();
  }

  clear() {
    for (const end of this.ends) end();
    this.ends = [];
  }

  // ---- reading

  async read(signal) {
    const names = await getJson(this.context.api("names"), { experiment: this.experiment }, signal);
    const query = this.byFilter ? { filter: this.filter, experiment: this.experiment } : { filter: `run_id in [${this.ids.map(quoted).join(", ")}]` };
    this.suggested = this.suggestedMetrics(names);
    this.leading = this.suggested.find((metric) => metric.mode) || null;
    let table = null;
    if (this.byFilter) {
      table = await getJson(this.context.api("runs"), { ...query, columns: names.suggested, limit: POINTS, sort: this.leading ? `${this.leading.mode === "max" ? "-" : ""}${this.leading.column}` : "-run_id" }, signal);
      this.ids = table.run_ids;
      if (!this.ids.length) return { names, comparison: null };
    }
    const comparison = await getJson(this.context.api("compare"), { runs: this.ids.slice(0, COLUMNS) }, signal);
    return { names, comparison, table, query };
  }

  // What the server suggests of metrics, as columns: "val_auc.max" is better high.
  suggestedMetrics(names) {
    const known = new Set(names.metrics);
    return names.suggested.flatMap((column) => {
      const [, name, mode] = /^(?:metrics\.)?(.+?)(?:\.(max|min))?$/.exec(column);
      return known.has(name) ? [{ name, mode: mode || null, column }] : [];
    });
  }

  // ---- drawing

  draw({ names, comparison, table, query }) {
    this.clear();
    if (!comparison || !comparison.runs.length) {
      put(this.place, emptyState("None of these runs is here", this.byFilter ? "No run passes the filter now." : "They may have been deleted, or are in another store.", h("a", { class: "button primary", href: this.context.link("runs") }, "Go to the runs")));
      this.context.ready("compare");
      return;
    }
    Object.assign(this, { names, comparison, query });
    const first = this.suggested.slice(0, 1).map((metric) => metric.name); // what sweeps are about, else what says most
    comparison.metrics = byInterest(comparison.metrics, first);
    this.metrics = comparison.metrics.map(({ name, mode }) => ({ name, mode }));
    const gone = comparison.missing.length;
    this.ids = this.ids.filter((id) => !comparison.missing.includes(id));
    this.heading.textContent = `Compare ${counted(this.ids.length, "run")}`;
    this.filterShown.hidden = !this.filter;
    this.filterShown.textContent = this.filter;
    this.context.title(`Compare ${counted(this.ids.length, "run")}`);
    put(this.place, gone ? h("p", { class: "hint" }, `${counted(gone, "run")} of the address ${gone === 1 ? "is" : "are"} not in this store: ${comparison.missing.slice(0, 8).join(", ")}`) : null);
    this.drawCurves();
    this.drawTable();
    this.rest = () => {
      this.rest = null;
      this.drawSettings(table);
      this.drawImportance();
    };
  }

  // The curves come first: what lies below them is drawn when they are there.
  curvesDrawn() {
    this.context.ready("compare");
    this.rest?.();
  }

  part(title, ...controls) {
    const id = freshId("part");
    const body = h("div", { class: "section" });
    add(this.place, h("section", { class: "section", "aria-labelledby": id }, h("header", null, h("h2", { id }, title), ...controls), body));
    return body;
  }

  drawCurves() {
    const more = h("span", { class: "bar" });
    const body = this.part("Curves", more);
    const curves = this.comparison.metrics.filter((metric) => metric.step.some((step) => step !== null)).map((metric) => metric.name);
    const names = this.comparison.metrics.map((metric) => metric.name);
    const order = this.metrics.map((metric) => metric.name);
    const first = [...new Set(curves.length ? order.filter((name) => curves.includes(name)) : order)].slice(0, FIRST_METRICS);
    this.section = curveSection(body, this.context, this.address, { names, first, runs: this.curveRuns(), ended: (run, status) => this.ended(run, status), drawn: () => this.curvesDrawn() });
    this.ends.push(() => this.section.leave());
    this.drawMore(more);
    this.readGroups();
  }

  drawMore(place) {
    const left = this.ids.length - this.drawn;
    if (left <= 0) put(place);
    else put(place, h("span", { class: "hint" }, `${this.byFilter && this.leading ? `the ${this.drawn} best by ${this.leading.name}` : this.drawn} of ${grouped(this.ids.length)} are drawn`), button(`Draw ${Math.min(DRAWN, left)} more`, () => {
      this.drawn = Math.min(this.ids.length, this.drawn + DRAWN);
      this.drawMore(place);
      this.section.setRuns(this.curveRuns());
      this.readGroups();
    }, { kind: "small" }));
  }

  curveRuns() {
    const known = new Map(this.comparison.runs.map((run, index) => [run.run_id, { ...run, index }]));
    return this.ids.slice(0, this.drawn).map((id, index) => {
      const group = this.groups?.get(id);
      return { id, label: id, status: known.get(id)?.status || "running", colour: index, href: this.context.link("run", id), group: group?.key, groupLabel: group?.label };
    });
  }

  // Which runs are seeds of one candidate; without any, there are no bands to offer.
  async readGroups() {
    const ids = this.ids.slice(0, this.drawn);
    try {
      const answer = await getJson(this.context.api("runs"), { filter: `run_id in [${ids.map(quoted).join(", ")}]`, columns: ["run_id"], seeds: true, limit: ids.length });
      if (this.left || !answer.groups || answer.groups.every((group) => group.run_ids.length < 2)) return;
      this.groups = new Map(answer.groups.flatMap((group) => group.run_ids.map((id) => [id, { key: group.run_ids[0], label: this.nameOf(group.run_ids) }])));
      this.section.setRuns(this.curveRuns());
    } catch {
      // bands are not offered; the curves are there
    }
  }

  // What a group of seeds has of its own among what differs.
  nameOf(ids) {
    const at = ids.map((id) => this.comparison.runs.findIndex((run) => run.run_id === id)).filter((index) => index >= 0);
    if (!at.length) return ids[0];
    const shared = this.comparison.params.filter((row) => row.differs && new Set(at.map((index) => JSON.stringify(row.values[index] ?? null))).size === 1);
    const words = shared.slice(0, 3).map((row) => `${row.name.split(".").pop()} ${text(row.values[at[0]]) || "–"}`);
    return words.join(" · ") || ids[0];
  }

  drawTable() {
    const shown = this.comparison.runs.length;
    const place = h("div", { class: "section" });
    const body = this.part("Side by side", toggle("Only differences", this.onlyDifferent, (on) => {
      this.onlyDifferent = on;
      changeParams({ same: !on });
      this.sides.update(this.comparison, { onlyDifferent: on });
    }), shown < this.ids.length ? h("span", { class: "hint" }, `the first ${shown} of ${grouped(this.ids.length)}`) : null);
    add(body, place);
    this.sides = sideBySide(place, this.comparison, { link: (run) => this.context.link("run", run), onlyDifferent: this.onlyDifferent });
  }

  // ---- settings against results

  drawSettings(table) {
    const points = table ? this.pointsOfTable(table) : this.pointsOfComparison();
    if (!this.metrics.length || !points.results.size || points.columns.length === 0 || points.labels.length < 2) return;
    const asked = this.address.params.get("result");
    const choices = this.metrics.map((metric) => [metric.name, `${metric.name} (${metric.mode || "last"})`]);
    let metric = this.metrics.find((one) => one.name === asked) || this.metrics[0];
    let key = points.columns.some((column) => column.key === this.address.params.get("against")) ? this.address.params.get("against") : points.columns[0].key;
    const charts = [];
    const tableNow = () => ({ labels: points.labels, columns: points.columns, result: { label: metric.name, mode: metric.mode, values: points.results.get(metric.name) }, hrefs: points.hrefs });
    const scatterNow = () => ({ labels: points.labels, x: points.columns.find((column) => column.key === key), y: { label: metric.name, values: points.results.get(metric.name) }, colour: null, mode: metric.mode, hrefs: points.hrefs });
    const redraw = () => {
      changeParams({ result: metric.name, against: key });
      for (const chart of charts) chart.redraw();
    };
    const result = choice("Result", choices, metric.name, (name) => {
      metric = this.metrics.find((one) => one.name === name);
      redraw();
    });
    const parallel = this.part("Parameters and result", result);
    this.chart(parallel, charts, (holder) => parallelChart(holder, tableNow(), { height: 320, noun: "run" }), tableNow);
    const against = choice("Against", points.columns.map((column) => [column.key, column.label]), key, (chosen) => {
      key = chosen;
      redraw();
    });
    const scatter = this.part("Result against one parameter", against);
    this.chart(scatter, charts, (holder) => scatterChart(holder, scatterNow(), { height: 320 }), scatterNow);
  }

  chart(body, charts, make, data) {
    const holder = h("div", { class: "chart-place" });
    let made = null;
    add(body, holder);
    const stop = whenVisible(holder, () => (made = make(holder)));
    charts.push({ redraw: () => made?.update(data()) });
    this.ends.push(() => {
      stop();
      made?.destroy();
    });
  }

  pointsOfComparison() {
    const { runs, params, metrics } = this.comparison;
    const columns = params.filter((row) => row.differs).map((row) => ({ key: row.name, label: row.name, values: row.values }));
    const results = new Map(this.metrics.map((metric) => [metric.name, metrics.find((one) => one.name === metric.name)[metric.mode || "last"]]));
    return { labels: runs.map((run) => run.run_id), hrefs: runs.map((run) => this.context.link("run", run.run_id)), columns, results };
  }

  pointsOfTable(table) {
    const columns = table.columns.map((column, place) => ({ key: column.name, label: column.label, kind: column.kind, values: table.values[place] })).filter((column) => column.kind === "param" && new Set(column.values.map((value) => JSON.stringify(value))).size > 1);
    const results = new Map();
    for (const metric of this.suggested) {
      const place = table.columns.findIndex((column) => column.name === metric.column);
      if (place >= 0) results.set(metric.name, table.values[place]);
    }
    this.metrics = this.suggested.filter((metric) => results.has(metric.name));
    return { labels: table.run_ids, hrefs: table.run_ids.map((id) => this.context.link("run", id)), columns, results };
  }

  // Jobs of one sweep: what decided its result is known.
  drawImportance() {
    const sweeps = [...new Set(this.comparison.runs.map((run) => run.sweep))];
    if (sweeps.length !== 1 || !sweeps[0]) return;
    const body = this.part("What decides the result", h("span", { class: "hint" }, "of all jobs of ", h("a", { href: this.context.link("sweep", sweeps[0]) }, sweeps[0])));
    const holder = h("div", null);
    add(body, holder);
    const stop = whenVisible(holder, () => {
      const reading = loaded(holder, (signal) => getJson(this.context.api(pathOf("sweep", sweeps[0], "importance")), {}, signal), ({ importance }) => {
        put(holder);
        importanceChart(holder, importance, {});
      });
      this.ends.push(() => reading.stop());
    });
    this.ends.push(stop);
  }

  ended(run, status) {
    const known = this.comparison.runs.find((one) => one.run_id === run);
    if (!known || known.status === status) return;
    known.status = status;
    this.sides.update(this.comparison);
  }
}
