/** One run: what it was given, how it went, what it left, and where it came from. While it runs the page follows it. */

import { add, freshId, h, put, putAnew, whenVisible } from "./dom.js";
import { apiAddress, getJson, pathOf } from "./api.js";
import { curveChart } from "./curve_chart.js";
import { curveSection } from "./curve_section.js";
import { durationShown, shown, statusShown } from "./format.js";
import { byInterest } from "./metric_order.js";
import { outputView } from "./output_view.js";
import { codePart, columnsTable, configPart, dataFacts, environmentPart, errorPart, filesTable, metricsTable, modelTags, pictures, rerunWords, tagList, timeTile, valuesTable } from "./run_parts.js";
import { loaded } from "./states.js";
import { watch } from "./live.js";

const REREAD_MS = 2000; // the facts of a run that is running
const FIRST_CURVES = 6;
const PROFILE = "artifacts/data.json";
const PROFILE_BYTES = 2_000_000;
const TILES = 4;

/** Show the page of the run that the address names. */
export function show(host, address, context) {
  const page = new RunPage(host, address, context);
  page.start();
  return { leave: () => page.leave() };
}

class RunPage {
  constructor(host, address, context) {
    Object.assign(this, { host, address, context, id: address.id || "" });
    this.ends = [];
    this.parts = [];
    this.moreFiles = new Map(); // folder -> its files that were asked for
  }

  start() {
    this.context.title(this.id);
    this.place = h("div", { class: "section run" });
    put(this.host, this.place);
    this.loading = loaded(this.place, (signal) => getJson(this.context.api(pathOf("run", this.id)), {}, signal), (run) => this.draw(run));
    this.ends.push(() => this.loading.stop());
  }

  leave() {
    this.left = true;
    clearInterval(this.timer);
    for (const end of this.ends) end();
  }

  draw(run) {
    this.run = run;
    this.heading = h("div", { class: "section" });
    put(this.place, this.heading);
    this.drawHeading();
    this.part("", ({ error, error_line }) => ({ error, error_line }), errorPart);
    this.part("", (now) => now.left_out, (lines) => (lines?.length ? h("p", { class: "warn" }, lines.join(" ")) : null));
    this.drawCurves();
    const pair = h("div", { class: "columns" });
    add(this.place, pair);
    this.part("Metrics", () => this.metrics(), metricsTable, pair);
    this.part("Parameters", (now) => Object.entries(now.params), (rows) => (rows.length ? valuesTable(rows, "Parameters") : null), pair);
    this.part("Pictures", (now) => now.files.filter((file) => file.image), () => pictures(this.run, this.context));
    this.drawOutput();
    this.drawData();
    const origins = h("div", { class: "columns" });
    add(this.place, origins);
    this.part("Code", (now) => [now.git, now.patch], () => codePart(this.run), origins);
    this.part("Config", (now) => [now.config, now.overrides], () => configPart(this.run), origins);
    this.part("Environment", (now) => now.environment, environmentPart, origins);
    this.part("Files", (now) => [now.files, now.folders], () => filesTable(this.run, this.context, this.moreFiles), origins);
    this.drawUsage();
    if (run.status === "running") this.follow();
  }

  /** Add a section whose content is `render(pick(run))`, drawn again when what was picked changes; without content it is not there. */
  part(title, pick, render, place = this.place) {
    const id = freshId("part");
    const body = h("div", { class: "section" });
    const section = h("section", { class: "section", "aria-labelledby": title ? id : null }, title ? h("h2", { id }, title) : null, body);
    let known = null;
    const update = () => {
      const picked = pick(this.run);
      const key = JSON.stringify(picked);
      if (key === known) return;
      known = key;
      const content = picked === null || picked === undefined ? null : render(picked);
      section.hidden = content === null;
      put(body, content);
    };
    update();
    add(place, section);
    this.parts.push(update);
  }

  drawHeading() {
    const { run, context } = this;
    const sweep = run.sweep?.id;
    putAnew(
      this.heading,
      h(
        "div",
        { class: "head" },
        h("span", { class: "crumbs" }, h("a", { href: context.link("runs") }, "Runs"), " / ", h("a", { href: context.link("runs", null, { experiment: run.experiment }) }, run.experiment), " /"),
        h("h1", { tabIndex: -1 }, run.run_id),
        statusShown(run.status),
        modelTags(run, context),
        sweep ? h("div", { class: "end" }, h("a", { class: "button", href: context.link("sweep", sweep) }, "Its sweep")) : null,
      ),
      run.superseded_by ? h("p", { class: "warn" }, "A later run took its place: ", h("a", { href: context.link("run", run.superseded_by) }, run.superseded_by)) : null,
      run.rerun_of ? h("p", { class: "hint" }, "It is made again from ", h("a", { href: context.link("run", run.rerun_of) }, run.rerun_of), ".") : null,
      run.reruns?.length ? h("p", null, "Made again, ", rerunWords(run.reruns.at(-1), context)) : null,
      run.description ? h("p", { class: "description" }, run.description) : null,
      tagList(run.tags),
      h(
        "div",
        { class: "tiles" },
        tile("started", timeTile(run.created_at)),
        tile("duration", durationShown(run.duration_s ?? (run.status === "running" ? (Date.now() - Date.parse(run.created_at)) / 1000 : null))),
        sweep && run.sweep.job !== null && run.sweep.job !== undefined ? tile("job", `${run.sweep.job} of ${sweep}`) : null,
        this.metrics().slice(0, TILES).map((metric) => (metric.mode && metric.count > 1 ? tile(`best ${metric.name}`, shown(metric[metric.mode])) : tile(metric.name, shown(metric.last)))),
      ),
    );
  }

  metrics() {
    const { metric, mode } = this.run.sweep?.objective || {};
    const told = this.run.metrics.map((one) => (one.name === metric && ["max", "min"].includes(mode) ? { ...one, mode } : one));
    return byInterest(told, [metric]);
  }

  // ---- curves

  curveNames() {
    return this.metrics().map((metric) => metric.name);
  }

  drawCurves() {
    const curves = this.metrics().filter((metric) => metric.count > 1 || this.run.status === "running").map((metric) => metric.name);
    if (!curves.length && this.run.status !== "running") {
      this.context.ready("run");
      return;
    }
    const id = freshId("part");
    const body = h("div", { class: "section" });
    add(this.place, h("section", { class: "section", "aria-labelledby": id }, h("h2", { id }, "Curves"), body));
    this.section = curveSection(body, this.context, this.address, { names: this.curveNames(), first: curves.slice(0, FIRST_CURVES), runs: this.curveRuns(), ended: (run, status) => this.ended(status), drawn: () => this.context.ready("run") });
    this.ends.push(() => this.section.leave());
  }

  curveRuns() {
    return [{ id: this.run.run_id, label: this.run.run_id, status: this.run.status, colour: 0 }];
  }

  // ---- output, data, use of the machine

  drawOutput() {
    if (!this.run.has_output && this.run.status !== "running") return;
    const id = freshId("part");
    const body = h("div", { class: "section" });
    add(this.place, h("section", { class: "section", "aria-labelledby": id }, h("h2", { id }, "Output"), body));
    this.output = outputView(body, this.context, this.run);
    this.ends.push(() => this.output.leave());
  }

  drawData() {
    const table = h("div", { class: "section" });
    let asked = false;
    this.part("Data", (now) => now.data, (data) => {
      const profile = this.run.files.find((file) => file.path === PROFILE && file.size < PROFILE_BYTES);
      if (profile && !asked) {
        asked = true;
        fetch(apiAddress(this.context.api(pathOf("run", this.id, "file", PROFILE))), { credentials: "same-origin" })
          .then((response) => response.json())
          .then((found) => put(table, columnsTable(found)))
          .catch(() => {}); // the file is not the trainer's: it can be downloaded below
      }
      return [dataFacts(data), table];
    });
  }

  drawUsage() {
    this.part("Use of the machine", (now) => (now.usage && now.usage.t.length > 1 ? now.usage : null), (usage) => {
      for (const chart of this.usageCharts || []) chart();
      this.usageCharts = [];
      const lines = [
        ["Processor, percent (100 is one core)", [["this run", usage.cpu], ["machine", usage.system_cpu]]],
        ["Memory, GB", [["this run", scaled(usage.memory)], ["machine", scaled(usage.system_memory)]]],
        ...(usage.gpus?.length ? [["GPU, percent", usage.gpus.map((gpu) => [`GPU ${gpu.index}`, gpu.busy])]] : []),
      ];
      return h("div", { class: "columns" }, lines.map(([title, columns]) => this.usageChart(title, usage.t, columns)));
    });
    this.ends.push(() => (this.usageCharts || []).forEach((end) => end()));
  }

  usageChart(title, t, columns) {
    const holder = h("div", null);
    let chart = null;
    const curves = columns.filter(([, y]) => y?.some((value) => typeof value === "number")).map(([label, y]) => ({ key: label, label, x: t, y: y.map((value) => (typeof value === "number" ? value : null)) }));
    const stop = whenVisible(holder, () => (chart = curveChart(holder, { curves }, { height: 170, label: title, x: "time" })));
    this.usageCharts.push(() => {
      stop();
      chart?.destroy();
    });
    return h("section", { class: "section" }, h("h3", null, title), holder);
  }

  // ---- live

  follow() {
    this.timer = setInterval(() => document.hidden || this.reread(), REREAD_MS);
    if (!this.section) this.ends.push(watch({ store: this.context.store, runs: { [this.id]: null } }, { run: ({ status }) => this.ended(status) }));
  }

  async reread() {
    try {
      const run = await getJson(this.context.api(pathOf("run", this.id)));
      if (this.left) return;
      this.run = run;
      this.drawHeading();
      for (const update of this.parts) update();
      this.section?.setNames(this.curveNames());
      if (run.status !== "running") this.end();
    } catch (error) {
      if (!error.kind) throw error; // the banner says that the server is gone; this is tried again
    }
  }

  ended(status) {
    if (status === this.run.status || this.run.status !== "running") return;
    this.reread();
  }

  end() {
    clearInterval(this.timer);
    this.output?.ended();
  }
}

function tile(name, value) {
  return h("div", { class: "tile" }, h("span", null, name), h("span", null, value));
}

function scaled(values) {
  return values?.map((value) => (typeof value === "number" ? value / 1e9 : null));
}
