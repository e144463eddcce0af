/** Some runs beside each other: their curves, what they differ in, and what that did to the result. */

import { add, freshId, h, put, whenVisible } from "./dom.js";
import { getJson, pathOf } from "./api.js";
import { button, choice, toggle } from "./controls.js";
import { curveSection } from "./curve_section.js";
import { counted, grouped, text } from "./format.js";
import { quoted } from "./filter_words.js";
import { byInterest } from "./metric_order.js";
import { watch } from "./live.js";
import { importancePart } from "./importance_part.js";
import { parallelChart } from "./parallel_chart.js";
import { changeParams } from "./router.js";
import { scatterChart } from "./scatter_chart.js";
import { refetching } from "./refetch.js";
import { sideBySide } from "./side_by_side.js";
import { emptyState, loaded } from "./states.js";

const DRAWN = 20; // runs with curves at first
const BANDED = 60; // and as bands of seeds: some of them make one line
const COLUMNS = 50; // runs side by side
const POINTS = 5000; // runs in parallel coordinates
const FOREST = 20; // runs from which what decides can be told
const FIRST_METRICS = 2;
const REREAD_MS = 2000; // numbers of runs that log
const MORE_RESULTS = 12; // metrics to choose from beyond those that say most

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
    this.bands = params.get("seeds") === "1";
    this.drawn = this.bands ? BANDED : DRAWN;
    this.onlyDifferent = params.get("same") !== "1";
    this.ends = [];
  }

  start() {
    this.context.title("Compare");
    this.place = h("div", { class: "section compare" });
    this.heading = h("h1", { tabIndex: -1 }, "Compare");
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
    this.again = null;
    this.resultsChanged = null;
  }

  // ---- reading

  async read(signal) {
    const names = await getJson(this.context.api("names"), { experiment: this.experiment }, signal);
    const query = this.byFilter ? { filter: this.filter, experiment: this.experiment } : { filter: `run_id in [${this.ids.map(quoted).join(", ")}]` };
    this.suggested = this.suggestedMetrics(names);
    const told = new Set(this.suggested.map((metric) => metric.name));
    const more = names.metrics.filter((name) => !told.has(name)).slice(0, MORE_RESULTS);
    this.results = [...this.suggested, ...more.map((name) => ({ name, mode: null, column: `metrics[${quoted(name)}]` }))];
    this.leading = names.leading && { ...names.leading, name: names.leading.metric };
    this.sort = this.leading ? `${this.leading.mode === "max" ? "-" : ""}${this.leading.column}` : "-run_id";
    let table = null;
    if (this.byFilter) {
      table = await getJson(this.context.api("runs"), { ...query, columns: [...this.results.map((metric) => metric.column), ...names.varying, "sweep"], limit: POINTS, sort: this.sort }, signal);
      this.ids = table.run_ids;
      this.sweeps = table.values[table.columns.findIndex((column) => column.name === "sweep")];
      if (!this.ids.length) return { names, comparison: null };
    }
    Object.assign(this, { query, order: this.ids, groups: null });
    if (this.bands) await this.readGroups(signal);
    const comparison = await getJson(this.context.api("compare"), { runs: this.order.slice(0, COLUMNS) }, signal);
    return { names, comparison, table };
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

  draw({ names, comparison, table }) {
    this.clear();
    if (!comparison || !comparison.runs.length) {
      put(this.place, emptyState("None of these runs is here", this.byFilter ? "No run passes the filter now." : "They may have been deleted, or are in another store.", h("a", { class: "button primary", href: this.context.link("runs") }, "Go to the runs")));
      this.context.ready("compare");
      return;
    }
    Object.assign(this, { names, comparison });
    if (!table) this.leading = objectiveOf(comparison.runs) || this.leading;
    this.arrange(comparison);
    this.metrics = comparison.metrics.map(({ name, mode }) => ({ name, mode }));
    const gone = comparison.missing.length;
    [this.ids, this.order] = [this.ids, this.order].map((ids) => ids.filter((id) => !comparison.missing.includes(id)));
    this.drawHeading();
    this.filterShown.hidden = !this.filter;
    this.filterShown.textContent = this.filter;
    this.context.title(`Compare ${counted(this.ids.length, "run")}`);
    put(this.place, gone ? h("p", { class: "hint" }, `${counted(gone, "run")} of the address ${gone === 1 ? "is" : "are"} not in this store: ${comparison.missing.slice(0, 8).join(", ")}`) : null);
    if (table && table.matching > this.ids.length) add(this.place, h("p", { class: "hint" }, `${grouped(table.matching)} runs pass; ${this.leading ? `the best ${grouped(this.ids.length)} by ${this.leading.name}` : `the latest ${grouped(this.ids.length)}`} are compared. A filter narrows them.`));
    this.drawCurves();
    this.drawTable();
    this.rest = () => {
      this.rest = null;
      this.drawSettings(table);
      this.drawImportance();
    };
    if (comparison.runs.some((run) => run.status === "running")) this.follow();
  }

  // What the sweeps are about comes first, better as they say.
  arrange(comparison) {
    const { leading } = this;
    const told = comparison.metrics.map((metric) => (metric.name === leading?.name ? { ...metric, mode: leading.mode } : metric));
    comparison.metrics = byInterest(told, leading ? [leading.name] : []);
  }

  drawHeading() {
    const groups = this.bands && this.groups && this.drawn >= this.ids.length ? new Set(this.groups.values()).size : 0;
    this.heading.textContent = `Compare ${counted(this.ids.length, "run")}${groups ? ` in ${counted(groups, "group")} of seeds` : ""}`;
  }

  // ---- live

  // Curves follow by themselves; the numbers beside each other are read again while points come.
  follow() {
    const ids = this.comparison.runs.map((run) => run.run_id);
    this.again = refetching((signal) => getJson(this.context.api("compare"), { runs: ids }, signal), (answer) => this.reread(answer), REREAD_MS);
    this.ends.push(() => this.again.stop(), watch({ store: this.context.store, table: true }, { table: () => this.again.ask() }));
  }

  reread(comparison) {
    if (!comparison.runs.length) return;
    this.arrange(comparison);
    this.comparison = comparison;
    this.sides.update(comparison);
    this.section.setNames(comparison.metrics.map((metric) => metric.name));
    this.resultsChanged?.();
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
    this.more = h("span", { class: "bar" });
    const body = this.part("Curves", this.more);
    const curves = this.comparison.metrics.filter((metric) => metric.count.some((points) => points > 1)).map((metric) => metric.name);
    const names = this.comparison.metrics.map((metric) => metric.name);
    const order = this.metrics.map((metric) => metric.name);
    const first = [...new Set(curves.length ? order.filter((name) => curves.includes(name)) : order)].slice(0, FIRST_METRICS);
    this.section = curveSection(body, this.context, this.address, { names, first, runs: this.curveRuns(), ended: (run, status) => this.ended(run, status), drawn: () => this.curvesDrawn(), news: () => this.again?.ask(), banded: (on) => this.banded(on) });
    this.ends.push(() => this.section.leave());
    this.drawMore();
    if (!this.groups) this.offerGroups();
  }

  drawMore() {
    const next = Math.max(this.drawnUpTo(this.drawn + DRAWN), this.drawn + (this.groups?.get(this.order[this.drawn])?.length ?? 0));
    const words = this.byFilter && this.leading && !this.bands ? `the ${this.drawn} best by ${this.leading.name}` : this.drawn;
    return put(this.more, this.drawn < this.order.length && [h("span", { class: "hint" }, `${words} of ${grouped(this.order.length)} are drawn`), button(`Draw ${next - this.drawn} more`, () => {
      this.drawn = next;
      this.drawMore();
      this.section.setRuns(this.curveRuns());
      if (!this.bands) this.offerGroups();
    }, { kind: "small" })]);
  }

  curveRuns() {
    const known = new Map(this.comparison.runs.map((run, index) => [run.run_id, { ...run, index }]));
    return this.order.slice(0, this.drawn).map((id, index) => {
      const group = this.groups?.get(id);
      return { id, label: id, status: known.get(id)?.status || "running", colour: index, href: this.context.link("run", id), group: group?.[0], groupLabel: group && this.nameOf(group) };
    });
  }

  // Which runs are seeds of one candidate, if any are. Bands are of whole groups, which are then drawn one after another.
  async readGroups(signal) {
    const asked = this.byFilter && !this.bands ? this.order.slice(0, this.drawn) : this.ids;
    const query = this.byFilter && this.bands ? { ...this.query, sort: this.sort, limit: POINTS } : { filter: `run_id in [${asked.map(quoted).join(", ")}]`, limit: asked.length };
    const answer = await getJson(this.context.api("runs"), { ...query, columns: ["run_id"], seeds: true }, signal);
    const known = new Set(asked);
    const groups = (answer.groups || []).map((group) => group.run_ids.filter((id) => known.has(id))).filter((ids) => ids.length);
    if (groups.every((ids) => ids.length < 2)) return false;
    this.groups = new Map(groups.flatMap((ids) => ids.map((id) => [id, ids])));
    if (this.bands) {
      this.order = [...groups.flat(), ...this.ids.filter((id) => !this.groups.has(id))];
      this.drawn = this.drawnUpTo(BANDED);
    }
    return true;
  }

  // How many runs are drawn so that about `most` are, and no group of seeds in part.
  drawnUpTo(most) {
    if (!this.bands || !this.groups) return Math.min(most, this.order.length);
    let count = 0;
    while (count < this.order.length) {
      const size = this.groups.get(this.order[count])?.length ?? 1;
      if (count > 0 && count + size > most) break;
      count += size;
    }
    return count;
  }

  // Without groups there are the curves all the same.
  async offerGroups() {
    if (!(await this.readGroups().catch(() => false)) || this.left) return;
    this.drawMore();
    this.section.setRuns(this.curveRuns());
    this.drawHeading();
  }

  banded(on) {
    this.bands = on;
    this.drawHeading();
    if (on && this.byFilter) this.offerGroups();
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
    this.ends.push(() => this.sides.destroy());
  }

  // ---- settings against results

  drawSettings(table) {
    let points = table ? this.pointsOfTable(table) : this.pointsOfComparison();
    if (!this.metrics.length || !points.results.size || points.columns.length === 0 || points.labels.length < 2) return;
    const asked = this.address.params.get("result");
    const choices = this.metrics.map((metric) => [metric.name, `${metric.name} (${metric.part || metric.mode || "last"})`]);
    const first = this.metrics.find((one) => !/^test/i.test(one.name)) || this.metrics[0]; // the test decides nothing unless one asks
    let metric = this.metrics.find((one) => one.name === asked) || first;
    let key = points.columns.some((column) => column.key === this.address.params.get("against")) ? this.address.params.get("against") : points.columns[0].key;
    this.decided = metric;
    const charts = [];
    const tableNow = () => ({ labels: points.labels, columns: points.columns, result: { label: metric.name, mode: metric.mode, values: points.results.get(metric.name) }, hrefs: points.hrefs });
    const scatterNow = () => ({ labels: points.labels, x: points.columns.find((column) => column.key === key), y: { label: metric.name, values: points.results.get(metric.name) }, colour: null, mode: metric.mode, hrefs: points.hrefs });
    const redraw = () => {
      changeParams({ result: metric.name, against: key });
      for (const chart of charts) chart.redraw();
    };
    this.resultsChanged = () => {
      if (table) return;
      points = this.pointsOfComparison();
      for (const chart of charts) chart.redraw();
    };
    const result = choice("Result", choices, metric.name, (name) => {
      metric = this.decided = this.metrics.find((one) => one.name === name);
      redraw();
      this.redecide?.();
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
    const results = new Map(this.metrics.map((metric) => [metric.name, metrics.find((one) => one.name === metric.name)?.[metric.mode || "last"] ?? []]));
    return { labels: runs.map((run) => run.run_id), hrefs: runs.map((run) => this.context.link("run", run.run_id)), columns, results };
  }

  pointsOfTable(table) {
    const columns = table.columns.map((column, place) => ({ key: column.name, label: column.label, kind: column.kind, values: table.values[place] })).filter((column) => column.kind === "param" && new Set(column.values.map((value) => JSON.stringify(value))).size > 1);
    const results = new Map();
    for (const metric of this.results) {
      const place = table.columns.findIndex((column) => column.name === metric.column);
      if (place >= 0) results.set(metric.name, table.values[place]);
    }
    const modes = new Map(this.comparison.metrics.map(({ name, mode }) => [name, mode]));
    this.metrics = this.results.filter((metric) => results.has(metric.name)).map((metric) => ({ ...metric, part: metric.mode || "last", mode: metric.mode || modes.get(metric.name) || null }));
    return { labels: table.run_ids, hrefs: table.run_ids.map((id) => this.context.link("run", id)), columns, results };
  }

  // What the jobs of one sweep tell is known better than what their runs do: it counts how far each one got.
  drawImportance() {
    const all = this.sweeps || (this.comparison.runs.length === this.ids.length ? this.comparison.runs.map((run) => run.sweep) : [null]);
    const sweep = new Set(all).size === 1 ? all[0] : null;
    if (!sweep && (this.ids.length < FOREST || !this.decided)) return;
    const hint = h("span", { class: "hint" });
    const body = this.part("What decides the result", hint);
    const ofSweep = () => ({ path: pathOf("sweep", sweep, "importance"), words: ["of all jobs of ", h("a", { href: this.context.link("sweep", sweep) }, sweep)], noun: "job" });
    const ofRuns = () => ({ path: "importance", query: { ...this.query, sort: this.sort, result: this.decided.column || columnOf(this.decided) }, words: `${this.decided.name} of these runs`, noun: "run" });
    const decides = importancePart(body, hint, this.context, sweep ? ofSweep : ofRuns);
    if (!sweep) this.redecide = decides.again;
    this.ends.push(() => {
      this.redecide = null;
      decides.leave();
    });
  }

  ended(run, status) {
    const known = this.comparison.runs.find((one) => one.run_id === run);
    if (!known || known.status === status) return;
    known.status = status;
    this.sides.update(this.comparison);
    this.again?.ask();
  }
}

function columnOf({ name, mode }) {
  return `metrics[${quoted(name)}]${mode ? `.${mode}` : ""}`;
}

// What all of these runs' sweeps rank by first; null where they do not agree.
function objectiveOf(runs) {
  const found = runs.map((run) => JSON.stringify([run.objective?.metric, run.objective?.mode]));
  if (!runs.length || new Set(found).size !== 1) return null;
  const { metric: name, mode } = runs[0].objective || {};
  return name && ["max", "min"].includes(mode) ? { name, mode } : null;
}
