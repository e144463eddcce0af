/** One sweep, live: what it tries, how far it is, what leads, what failed, and what came of it. */

import { add, h, put } from "./dom.js";
import { getJson, getJsonNow, pathOf } from "./api.js";
import { button } from "./controls.js";
import { statusShown } from "./format.js";
import { watch } from "./live.js";
import { onPaper } from "./paper.js";
import { everySeen, refetching } from "./refetch.js";
import { loaded } from "./states.js";
import { sweepSections } from "./sweep_sections.js";

const SECTIONS = ["headline", "jobs", "failures", "best", "curves", "timeline", "leaderboard", "parallel", "tradeoff", "slices", "importance", "search", "verdict", "swept", "repeat"];
const AGAIN_MS = 3000; // what running jobs log leaves no mark on the sweep
const CURVES_MS = 5000;
const IMPORTANCE_MS = 20000;
const MOST_CURVES = 24; // the best jobs, and those that run
const MOST_COMPARED = 10;
const MOST_POINTS = 300;

/** Show the page; return `{leave()}`. */
export function show(host, address, context) {
  const page = new SweepPage(host, address.id, context);
  return { leave: () => page.leave() };
}

class SweepPage {
  constructor(host, id, context) {
    this.id = id;
    this.context = context;
    this.sections = null;
    this.facts = null;
    this.curves = null;
    this.importance = undefined; // until it is known
    this.isWhole = false;
    this.known = { curves: -1, importance: -1 }; // how many jobs had ended when it was asked
    this.status = h("span", null);
    this.compare = h("span", null);
    this.contents = h("nav", { class: "contents", "aria-label": "Sections" });
    this.body = h("div", { class: "sweep-body" });
    context.title(id);
    put(host, h("div", { class: "head" },
      h("div", null, h("div", { class: "crumbs" }, h("a", { href: context.link("sweeps") }, "Sweeps"), " /"), h("h1", { tabIndex: -1 }, id)), this.status,
      h("div", { class: "end" }, this.compare, h("a", { class: "button", href: context.link("runs", null, { filter: `sweep == ${JSON.stringify(id)}` }) }, "Its runs"))), this.contents, this.body);
    const load = (signal) => getJson(context.api(pathOf("sweep", id)), {}, signal);
    this.first = loaded(this.body, load, (facts) => this.start(facts));
    this.again = refetching(load, (facts) => this.take(facts));
    this.curvesAgain = refetching((signal) => this.askCurves(signal).catch((error) => this.whole(error)), ([curves, ended]) => {
      this.curves = curves;
      this.known.curves = ended;
      this.draw();
      this.whole();
    }, CURVES_MS);
    this.importanceAgain = refetching((signal) => this.askImportance(signal), ([importance, ended]) => {
      this.importance = importance;
      this.known.importance = ended;
      this.draw();
    }, IMPORTANCE_MS);
    this.stops = [
      watch({ store: context.store, sweep: id }, { sweep: () => this.again.ask() }),
      onPaper((on) => on && this.print()),
      everySeen(AGAIN_MS, () => this.facts?.state === "running" && this.again.ask()),
    ];
  }

  start(facts) {
    put(this.body);
    this.sections = null;
    this.take(facts);
  }

  // The curves come after the facts, and what lies below them moves then: the page is drawn when they are there, or cannot be read.
  whole(error = null) {
    if (!this.isWhole) this.context.ready("sweep");
    this.isWhole = true;
    if (error) throw error;
  }

  take(facts) {
    this.facts = facts;
    this.draw();
    if (this.ended() !== this.known.importance) this.importanceAgain.ask();
    if (this.ended() !== this.known.curves || facts.counts.running) this.curvesAgain.ask();
  }

  ended() {
    return this.facts.jobs.status.filter((status) => !["running", "queued", "unfinished"].includes(status)).length;
  }

  draw() {
    const { context } = this;
    const facts = { ...this.facts, curves: this.curves, importance: this.importance };
    put(this.status, statusShown(facts.state));
    if (this.sections) this.sections.update(facts);
    else {
      this.sections = sweepSections(this.body, SECTIONS, facts, {
        live: true,
        hrefOf: (run) => context.link("run", run),
        modelHref: (name, version) => context.link("model", name, { version }),
        logOf: async (job) => (await getJson(context.api(pathOf("sweep", this.id, "log", job)))).lines,
      });
    }
    this.drawCompare(facts);
    this.drawContents();
  }

  drawCompare(facts) {
    const { jobs } = facts;
    const best = jobs.run.filter((run, index) => run && jobs.rank[index] !== null).slice(0, MOST_COMPARED); // the best come first
    const href = this.context.link("compare", null, { run: best });
    if (best.length < 2) put(this.compare);
    else if (this.compare.firstChild?.getAttribute("href") !== href) put(this.compare, h("a", { class: "button", href }, `Compare the best ${best.length}`));
  }

  drawContents() {
    const titles = this.sections.titles().filter(([title]) => title);
    if (titles.length === this.contents.childElementCount) return;
    put(this.contents);
    add(this.contents, titles.map(([title, node]) => button(title, () => node.scrollIntoView({ block: "start" }), { kind: "quiet small" })));
  }

  /** Return the learning curves of the best jobs and of those that run, as the report has them. */
  async askCurves(signal) {
    const { jobs, objectives } = this.facts;
    const [objective] = objectives;
    const ended = this.ended();
    if (!objective?.metric) return [null, ended];
    const has = jobs.job.map((_, index) => index).filter((index) => jobs.run[index]);
    const running = has.filter((index) => jobs.status[index] === "running");
    const best = has.filter((index) => jobs.rank[index] !== null).sort((a, b) => jobs.rank[a] - jobs.rank[b]).slice(0, MOST_CURVES);
    const chosen = [...best, ...running].slice(0, MOST_CURVES + 8);
    if (!chosen.length) return [null, ended];
    const jobOf = new Map(chosen.map((index) => [jobs.run[index], jobs.job[index]]));
    const answer = await getJson(this.context.api("curves"), { runs: [...jobOf.keys()], metrics: [objective.metric], x: "step", most: MOST_POINTS }, signal);
    const curves = answer.curves.filter((curve) => curve.x.length).map((curve) => ({ job: jobOf.get(curve.run), x: curve.x, y: curve.y }));
    return [{ metric: objective.metric, x: answer.x ?? "step", curves, bands: null, left_out: has.length - curves.length }, ended];
  }

  async askImportance(signal) {
    const ended = this.ended();
    try {
      return [(await getJson(this.context.api(pathOf("sweep", this.id, "importance")), {}, signal)).importance, ended];
    } catch (error) {
      if (error.name === "AbortError" || error.kind === "gone") throw error; // asked again when the sweep or the server is back
      return [{ jobs: 0, share: {}, r2: null, why: error.message.replace(/\.$/, ""), level: null }, ended];
    }
  }

  // What decides takes the server seconds: paper does not come before it.
  print() {
    if (!this.facts || this.importance !== undefined) return;
    try {
      this.importance = getJsonNow(this.context.api(pathOf("sweep", this.id, "importance"))).importance;
      this.draw();
    } catch {
      // paper says that it is still computed
    }
  }

  leave() {
    for (const each of [this.first, this.again, this.curvesAgain, this.importanceAgain]) each.stop();
    for (const stop of this.stops) stop();
    this.sections?.destroy();
  }
}
