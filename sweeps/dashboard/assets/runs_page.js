/** The runs of a store: filtered, sorted, grouped by seeds, chosen for a comparison. */

import { add, h, put } from "./dom.js";
import { getJson, getJsonNow, onServer } from "./api.js";
import { button, codeBlock, menu, pickMenu, toggle } from "./controls.js";
import { filterField } from "./filter_field.js";
import { fieldItems } from "./filter_words.js";
import { counted, grouped, sentence } from "./format.js";
import { watch } from "./live.js";
import { onPaper } from "./paper.js";
import { changeParams } from "./router.js";
import { decimalsOf, runCell } from "./run_cells.js";
import { RunRows } from "./run_rows.js";
import { RunSelection } from "./run_selection.js";
import { MOST_ON_PAPER, runsOnPaper } from "./runs_paper.js";
import { emptyState, failedState, loadingState } from "./states.js";
import { virtualTable } from "./table.js";
import { TypedFilter } from "./typed_filter.js";

const REFRESH_MS = 1000; // a store that changes all the time is read at most so often
const NEWEST_FIRST = ["-run_id"];
const FEW = 100; // runs that an address can name
const places = new Map(); // store -> {hash, first}: where one was in the table before a look at another page
const LABELS = { created_at: "created", finished_at: "finished", duration_s: "duration" };
const NO_NAMES = { params: [], metrics: [], tags: [], experiments: [], suggested: [], total: 0 };

/** Show the page; its address holds the filter, the order, the columns, the experiment and whether seeds are grouped. */
export function show(host, address, context) {
  const page = new RunsPage(host, address, context);
  page.start();
  return { change: (next) => page.changed(next), leave: () => page.leave() };
}

class RunsPage {
  constructor(host, address, context) {
    this.host = host;
    this.context = context;
    this.read(address);
    this.names = NO_NAMES;
    this.selection = new RunSelection(context.store);
    this.typing = new TypedFilter(() => this.filter, (text, typed) => !this.left && this.change({ filter: text }, { typed }));
    this.fresh = 0;
    this.rows = new RunRows((query, signal) => getJson(context.api("runs"), { ...query, typing: true }, signal), () => this.moreKnown());
  }

  read({ params }) {
    this.filter = params.get("filter") || "";
    this.sort = params.getAll("sort").map((key) => ({ name: key.replace(/^-/, ""), down: key.startsWith("-") }));
    this.experiment = params.get("experiment") || "";
    this.seeds = params.get("seeds") === "1";
    this.picked = params.getAll("columns");
  }

  // Back and forward: what is shown stays until the answer is here.
  changed(address) {
    const before = { seeds: this.seeds, experiment: this.experiment };
    this.read(address);
    this.hash = location.hash;
    this.typing.follows(false);
    this.fresh = 0;
    this.drawNews();
    this.field.setText(this.filter);
    this.seedToggle.firstChild.checked = this.seeds;
    if (this.seeds !== before.seeds) this.selection.regroup(this.seeds);
    if (this.experiment !== before.experiment) this.loadNames();
    this.load({ first: !this.table, top: true });
  }

  start() {
    this.context.title("Runs");
    this.count = h("span", { class: "quiet-text tabular", role: "status" });
    this.news = h("button", { type: "button", class: "button small", hidden: true, onclick: () => this.showNew() });
    this.chosen = h("div", { class: "end" });
    this.field = filterField({ value: this.filter, items: () => this.items || [], ontype: (text) => this.typing.typed(text), onapply: (text) => this.typing.applied(text), label: "Filter of runs" });
    this.experiments = pickMenu("All experiments", { single: true, placeholder: "Look for an experiment", items: () => this.experimentItems(), chosen: () => new Set([this.experiment]), onpick: (name) => this.change({ experiment: name }) });
    this.columnMenu = pickMenu("Columns", { align: "right", placeholder: "Look for a column", items: () => this.items || [], chosen: () => new Set(this.shownColumns().map((column) => column.name)), onpick: (name, on) => this.pickColumn(name, on), extra: (redraw) => [button("Suggested", () => this.setColumns([]).then(redraw), { kind: "small" }), button("Hide all", () => this.setColumns(["run_id"]).then(redraw), { kind: "small" })] });
    this.seedToggle = toggle("Group seeds", this.seeds, (on) => this.change({ seeds: on }), "Runs that differ in nothing but their seed become one row, with the mean and the standard deviation");
    this.problems = h("span");
    this.place = h("div", { class: "runs-place" });
    this.paper = h("div", { class: "runs-paper" });
    put(
      this.host,
      h("div", { class: "head" }, h("h1", { tabIndex: -1 }, "Runs"), this.count, this.news, this.problems, this.chosen),
      h("div", { class: "bar runs-bar" }, h("div", { class: "grow" }, this.field), this.experiments, this.seedToggle, this.columnMenu),
      this.place,
      this.paper,
    );
    this.hash = location.hash;
    const place = places.get(this.context.store);
    this.drawChosen();
    this.loadNames();
    this.load({ first: true, around: place?.hash === this.hash ? place.first : 0 });
    this.stopServer = onServer((answers) => answers && this.load({ first: !this.table }));
    this.stopWatching = watch({ store: this.context.store, table: true }, { table: ({ version }) => this.told(version) });
    this.stopPaper = onPaper((on) => this.print(on));
  }

  leave() {
    this.left = true;
    places.set(this.context.store, { hash: this.hash, first: this.table?.first() || 0 });
    this.stopServer();
    this.stopWatching();
    this.stopPaper();
    clearTimeout(this.timer);
    this.rows.forget();
    this.rows.loading?.abort();
    this.table?.destroy();
  }

  async loadNames() {
    try {
      this.names = await getJson(this.context.api("names"), { experiment: this.experiment });
    } catch {
      return; // the table's own question says what is wrong
    }
    this.items = fieldItems(this.names);
    this.drawExperiment();
  }

  // ---- questions

  query() {
    return { filter: this.filter, sort: this.sort.length ? this.sort.map(keyText) : NEWEST_FIRST, experiment: this.experiment, columns: this.picked, seeds: this.seeds };
  }

  /** Ask another question: the address says it, and the table starts from the top. The way back leads to what was before one typed. */
  change(changes, { typed = false } = {}) {
    Object.assign(this, changes);
    if (changes.seeds !== undefined) this.selection.regroup(this.seeds);
    this.fresh = 0;
    this.drawNews();
    if (changes.filter !== undefined) this.field.setText(changes.filter);
    const { filter, experiment, columns, seeds } = this.query();
    changeParams({ filter, sort: this.sort.map(keyText), experiment, columns, seeds }, { push: !this.typing.follows(typed) });
    this.hash = location.hash;
    if (changes.experiment !== undefined) this.loadNames();
    return this.load({ top: changes.picked === undefined, typed });
  }

  async load({ first = false, top = false, around = 0, typed = false } = {}) {
    this.asked = true;
    const quiet = first ? loadingState(this.place, "Loading the runs…") : () => {};
    this.newest = null;
    try {
      const answer = await this.rows.load(this.query(), top || first ? around : this.table?.first() || 0, typed && this.table ? (found) => this.typing.shows(found) : null);
      quiet();
      if (!answer || this.left) return;
      this.field.fail(null);
      this.draw(top);
      if (around) this.table?.showFirst(around);
      this.followStore();
    } catch (error) {
      quiet();
      if (error.name === "AbortError" || this.left) return;
      this.failed(error);
    }
  }

  failed(error) {
    if (error.kind === "refused" && this.filter) {
      this.field.fail(error);
      if (!this.table) put(this.place, emptyState("The filter is not understood", "The place is marked above. Names are suggested while you type."));
    } else if (error.kind === "refused" && (this.sort.length || this.picked.length)) {
      this.change({ sort: [], picked: [] }); // an old address may name columns that are gone
      return;
    } else if (error.kind !== "gone" || !this.table) {
      this.table?.destroy();
      this.table = null;
      put(this.place, failedState(error, () => this.load({ first: true })));
    }
    if (!error.kind) console.error(error);
    this.context.ready("runs");
  }

  // ---- drawing

  draw(top) {
    const { matching } = this.rows;
    this.hadRuns ||= this.rows.total > 0;
    this.findDecimals(false);
    if (!matching) {
      this.table?.destroy();
      this.table = null;
      put(this.place, this.nothing());
    } else if (!this.table) {
      put(this.place);
      this.table = virtualTable(this.place, {
        label: "Runs",
        ...this.tableState(),
        rowAt: (index) => this.rows.rowAt(index),
        need: (from, to) => this.rows.need(from, to),
        cell: (row, column) => runCell(row, column, { link: this.context.link, decimals: this.decimals[column.place] }),
        key: (row) => row.id,
        keys: (from, to) => this.keys(from, to),
        rowLabel: (row) => row.members.join(", "),
        selected: this.selection.keys,
        onselect: () => this.selectionChanged(),
        onsort: (sort) => this.change({ sort }),
        open: (row) => (row.members.length > 1 ? this.context.go("compare", null, { run: row.members.slice(0, FEW), seeds: true }) : this.context.go("run", row.id)),
      });
    } else {
      if (top) this.table.scrollTo(0);
      this.table.update(this.tableState());
    }
    this.drawCount();
    this.drawChosen();
    this.drawProblems();
    this.context.ready("runs");
    this.place.dataset.shown = JSON.stringify([this.filter, this.sort.map(keyText), this.rows.version]);
  }

  // More rows may need more decimals than those before: then the whole column changes.
  moreKnown() {
    if (this.findDecimals(true)) this.table?.redraw();
    else this.table?.refresh();
  }

  findDecimals(grow) {
    const before = this.decimals || [];
    const columns = this.rows.columns.map((column, place) => ({ ...column, place }));
    const found = decimalsOf(columns, this.rows.rows.filter(Boolean));
    this.decimals = grow ? found.map((one, place) => (one !== null && before[place] !== null ? Math.max(one, before[place] ?? 0) : one)) : found;
    return this.decimals.some((one, place) => one !== before[place]);
  }

  tableState() {
    return { columns: this.shownColumns(), total: this.rows.matching, sort: this.sort };
  }

  shownColumns() {
    const first = { name: "run_id", label: this.seeds ? "runs" : "run", kind: "run", place: -1 };
    const others = this.rows.columns.map((column, place) => ({ ...column, label: LABELS[column.name] || column.label, place, title: column.name })).filter((column) => column.name !== "run_id");
    return [first, ...others];
  }

  // The rows that are drawn for the screen are those in view.
  print(on) {
    const { table, filter, experiment, sort } = this;
    this.place.hidden = on && Boolean(table);
    put(this.paper);
    if (!on || !table) return;
    const rows = this.rows.firstNow(MOST_ON_PAPER, (query) => getJsonNow(this.context.api("runs"), query));
    const words = [filter && ["Filter: ", h("code", null, filter), ". "], experiment && `Experiment: ${experiment}. `, sort.length > 0 && `By ${sort.map(({ name, down }) => `${name} ${down ? "↓" : "↑"}`).join(", ")}.`].filter(Boolean);
    runsOnPaper(this.paper, rows, this.rows.matching, { columns: this.shownColumns(), words, noun: this.seeds ? "group" : "run", link: this.context.link });
  }

  drawCount() {
    const { matching, total } = this.rows;
    this.count.setAttribute("aria-live", this.asked ? "polite" : "off"); // runs that come by themselves are not read out
    if (this.seeds) this.count.textContent = counted(matching, "group");
    else this.count.textContent = this.filter ? `${grouped(matching)} of ${counted(total, "run")}` : counted(matching, "run");
  }

  drawProblems() {
    const left = this.rows.leftOut;
    if (!left.length) return put(this.problems);
    return put(this.problems, menu(`${counted(left.length, "run")} cannot be read`, (panel) => add(panel, h("dl", { class: "facts" }, left.slice(0, 50).map((one) => [h("dt", null, one.run_id), h("dd", null, one.why)]))), { kind: "small" }));
  }

  drawExperiment() {
    this.experiments.setLabel(this.experiment || "All experiments");
  }

  experimentItems() {
    return [{ name: "", label: "All experiments" }, ...this.names.experiments.map(({ name, runs }) => ({ name, label: name, group: grouped(runs) }))];
  }

  nothing() {
    if (this.hadRuns && !this.rows.total) return emptyState("The runs are gone", "The store has none any more: it was moved or deleted. They are shown again when it is back.");
    if (this.filter || this.experiment) {
      return emptyState("No run passes", this.filter ? "The filter leaves none of the runs." : "The experiment has no runs.", ...this.rows.warnings.map(sentence), button("Show all runs", () => this.change({ filter: "", experiment: "" }), { kind: "primary" }));
    }
    const lines = 'from tracking import ExperimentTracker\n\nwith ExperimentTracker().start_run("my_experiment", params={"lr": 0.1}) as run:\n    run.log({"loss": 0.5}, step=1)';
    return emptyState("No runs yet", "A run appears here as soon as it begins. Start a sweep:", codeBlock("python -m trainer -m training.learning_rate=1e-3,1e-2"), "or log one from your own code:", codeBlock(lines));
  }

  // ---- columns

  setColumns(names) {
    return this.change({ picked: names });
  }

  pickColumn(name, on) {
    const now = this.shownColumns().map((column) => column.name);
    this.setColumns(on ? [...now, name] : now.filter((one) => one !== name || one === "run_id"));
  }

  // ---- selection

  async keys(from, to) {
    const rows = await this.rows.range(from, to);
    this.selection.learn(rows);
    return rows.map((row) => row.id);
  }

  selectionChanged() {
    this.selection.settle(this.rows.rows.filter(Boolean));
    this.drawChosen();
  }

  drawChosen() {
    const runs = this.selection.runs();
    if (!runs.length) {
      put(this.chosen, this.rows.matching > 0 && button("Compare all shown", () => this.compareAll(), { title: "Compare the runs that pass the filter" }));
      return;
    }
    const clear = () => {
      this.selection.clear();
      this.drawChosen();
      this.table?.refresh();
    };
    const all = runs.length === this.rows.matching && !this.seeds;
    const many = runs.length > FEW && !all;
    const label = runs.length === 1 ? `Open ${runs[0]}` : this.seeds && !many ? `Compare ${counted(this.selection.keys.size, "group")}` : many ? `Compare ${FEW} of ${grouped(runs.length)} runs` : `Compare ${counted(runs.length, "run")}`;
    put(
      this.chosen,
      button("Clear selection", clear, { kind: "quiet" }),
      button(label, () => this.compareChosen(runs), { kind: "primary", title: many ? `An address has room for ${FEW} runs. A filter compares any number: Compare all shown.` : null }),
    );
  }

  compareChosen(runs) {
    if (runs.length === 1) this.context.go("run", runs[0]);
    else if (runs.length > FEW && runs.length === this.rows.matching) this.compareAll();
    else this.context.go("compare", null, { run: runs.slice(0, FEW), seeds: this.seeds });
  }

  compareAll() {
    this.context.go("compare", null, { all: true, filter: this.filter, experiment: this.experiment, seeds: this.seeds });
  }

  // ---- live

  told(version) {
    this.newest = version;
    this.followStore();
  }

  // The answer under way may already have this version, so the two are compared when it is here.
  followStore() {
    if (this.timer || this.rows.loading || !this.newest || this.newest === this.rows.version) return;
    const wait = Math.max(0, (this.lastRefresh || 0) + REFRESH_MS - Date.now());
    this.timer = setTimeout(() => this.refresh(), wait);
  }

  /** Read the rows in view again. What is looked at stays where it is: new runs come above it, or are counted. */
  async refresh() {
    this.lastRefresh = Date.now();
    this.timer = 0;
    if (this.rows.loading) return; // the answer to come is looked at
    this.newest = null;
    this.asked = false;
    try {
      const { table, rows } = this;
      const newestFirst = !this.sort.length;
      const stays = table && newestFirst && !table.atTop();
      const [first, anchor] = table ? [table.first(), rows.rowAt(table.first())?.id] : [0, null];
      const before = { matching: rows.matching, total: rows.total };
      const answer = await rows.load(this.query(), first);
      if (!answer || this.left) return;
      const shift = stays ? this.shiftOf(anchor, first, rows.matching - before.matching) : 0;
      if (shift) await rows.need(first + shift, first + shift + 60);
      if (this.left) return;
      this.draw(false);
      if (shift && this.table) this.table.scrollBy(shift);
      if (this.table && (stays || !newestFirst)) this.fresh += Math.max(0, rows.total - before.total);
      this.drawNews();
      if (rows.total !== before.total) this.loadNames();
      this.followStore();
    } catch (error) {
      if (error.name !== "AbortError" && !this.left) this.failed(error);
    }
  }

  shiftOf(anchor, first, grown) {
    const place = this.rows.rows.findIndex((row) => row?.id === anchor);
    return place >= 0 ? place - first : Math.max(0, grown);
  }

  drawNews() {
    this.news.hidden = !this.fresh;
    this.news.textContent = `${grouped(this.fresh)} new ${this.fresh === 1 ? "run" : "runs"}`;
    this.news.title = "Show the newest first";
  }

  showNew() {
    this.fresh = 0;
    this.drawNews();
    if (this.sort.length) this.change({ sort: [] });
    else this.load({ top: true });
    this.table?.scrollTo(0);
  }
}

function keyText(key) {
  return key.down ? `-${key.name}` : key.name;
}
