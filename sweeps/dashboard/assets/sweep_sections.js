/** The sections of a sweep, for its page while it runs and for its report: each takes plain facts and asks nobody. */

import { h, put, putAnew, whenVisible } from "./dom.js";
import { bestChart } from "./best_chart.js";
import { importanceChart } from "./bars_chart.js";
import { leaderboard } from "./leaderboard.js";
import { learningChart } from "./learning_chart.js";
import { parallelChart } from "./parallel_chart.js";
import { scatterChart, slicesChart } from "./scatter_chart.js";
import { jobName, objectiveName, pointTable, resultsOf, runOf, winnerIndex } from "./sweep_reading.js";
import { candidateTable, failureList, headline, jobsNow, repeatPart, searchBeliefs, sweptPart } from "./sweep_summary.js";
import { sweepVerdict } from "./sweep_verdict.js";
import { timelineChart } from "./timeline_chart.js";

/**
 * Put sections into `host`, by name and in the order given; return `{update(facts), destroy()}`.
 *
 * `context`: `hrefOf(run)` (null where nothing can be linked), `live` (the sweep may go on; else all is for paper too),
 * `modelHref(name, version)`, `logOf(job)` (a promise of lines). A section that has nothing to show is left out until it has.
 * What is open, picked or scrolled stays over an update.
 */
export function sweepSections(host, names, facts, context) {
  const shared = { ...context, board: null };
  const made = names.map((name) => SECTIONS[name](shared));
  put(host, made.map((part) => part.node));
  const update = (next) => {
    for (const part of made) part.update(next);
  };
  update(facts);
  return {
    update,
    titles: () => made.filter((part) => !part.node.hidden).map((part) => [part.title, part.node]),
    destroy() {
      for (const part of made) part.destroy?.();
    },
  };
}

const SECTIONS = {
  headline: (context) => words("headline", null, (facts) => headline(facts, context)),
  jobs: (context) => words("jobs", "Jobs now", (facts) => (facts.state === "running" || facts.counts.queued ? jobsNow(facts, context) : null)),
  best: (context) => drawn("best", "Best so far", context, hasValues, (host, facts) => {
    const [objective] = facts.objectives;
    let now = facts;
    const names = { labelOf: (job) => jobName(now, job), hrefOf: (job) => runOf(now, job) && context.hrefOf(runOf(now, job)) };
    const chart = bestChart(host, facts.best_so_far, { label: objectiveName(objective), mode: objective.mode, ...names });
    return {
      update(next) {
        now = next;
        chart.update(next.best_so_far);
      },
      destroy: chart.destroy,
    };
  }),
  curves: (context) => drawn("curves", "Learning curves", context, (facts) => facts.curves?.curves.length > 0, (host, facts) => {
    const [objective] = facts.objectives;
    const chart = learningChart(host, curvesOf(facts, context), { mode: objective?.mode, label: objective ? objectiveName(objective) : "result" });
    return { update: (next) => chart.update(curvesOf(next, context)), destroy: chart.destroy };
  }),
  parallel: (context) => drawn("parallel", "Settings and results", context, (facts) => facts.objectives.length > 0 && facts.swept.length > 0 && facts.jobs.job.length > 1, (host, facts) => {
    const options = { share: facts.importance?.share, noun: "job", onPick: (indices) => context.board?.pick(indices) };
    const chart = parallelChart(host, pointTable(facts, context.hrefOf), options);
    return {
      update(next) {
        options.share = next.importance?.share;
        chart.update(pointTable(next, context.hrefOf));
      },
      destroy: chart.destroy,
    };
  }),
  tradeoff: (context) => drawn("tradeoff", "The objectives against each other", context, (facts) => facts.objectives.length > 1, (host, facts) => {
    const chart = scatterChart(host, tradeoff(facts, context));
    return { update: (next) => chart.update(tradeoff(next, context)), destroy: chart.destroy };
  }),
  importance: (context) => drawn("importance", "What decides", context, hasValues, (host, facts) => {
    const show = (next) => (next.importance === undefined ? put(host, h("p", { class: "hint", role: "status" }, "Growing a forest over the jobs; this takes a few seconds…")) : importanceChart(host, next.importance, { names: next.names }));
    show(facts);
    return { update: show };
  }),
  slices: (context) => drawn("slices", "Result by setting", context, (facts) => hasValues(facts) && facts.swept.length > 0, (host, facts) => {
    const options = { share: facts.importance?.share };
    const chart = slicesChart(host, pointTable(facts, context.hrefOf), options);
    return {
      update(next) {
        options.share = next.importance?.share;
        chart.update(pointTable(next, context.hrefOf));
      },
      destroy: chart.destroy,
    };
  }),
  timeline: (context) => drawn("timeline", "Slots over time", context, (facts) => facts.timeline?.job.length > 0, (host, facts) => {
    let now = facts;
    const names = { labelOf: (job) => jobName(now, job), hrefOf: (job) => runOf(now, job) && context.hrefOf(runOf(now, job)) };
    const chart = timelineChart(host, facts.timeline, names);
    return {
      update(next) {
        now = next;
        chart.update(next.timeline);
      },
      destroy: chart.destroy,
    };
  }),
  failures: (context) => words("failures", "Failures", (facts) => (facts.failures.length || !context.live ? failureList(facts, context) : null)),
  leaderboard: (context) => {
    const candidates = words("candidates", null, candidateTable);
    const part = drawn("leaderboard", "Leaderboard", { ...context, live: false }, (facts) => facts.jobs.job.length > 0, (host, facts) => {
      const place = h("div", null);
      put(host, candidates.node, place);
      candidates.update(facts);
      const board = leaderboard(place, facts, context);
      context.board = board;
      return {
        update(next) {
          candidates.update(next);
          board.update(next);
        },
        destroy: board.destroy,
      };
    });
    return part;
  },
  search: () => words("search", "What the search believes", searchBeliefs),
  verdict: (context) => drawn("verdict", "Verdict on the winner", context, (facts) => Boolean(facts.promotion || facts.pictures?.length), (host, facts) => sweepVerdict(host, facts, context)),
  swept: () => words("swept", "What was swept, on which data", sweptPart),
  repeat: () => words("repeat", "How to repeat it", repeatPart),
};

function hasValues(facts) {
  return facts.objectives.length > 0 && facts.jobs.values[0].some((value) => value !== null);
}

function tradeoff(facts, context) {
  const table = pointTable(facts, context.hrefOf);
  const [first, second] = facts.objectives;
  const column = (objective, place) => ({ label: objectiveName(objective), values: resultsOf(facts, place) });
  const across = { ...column(second, 1), name: objectiveName(second) };
  across.label += second.mode === "min" ? " ← better" : " → better";
  return { labels: table.labels, x: across, y: column(first, 0), colour: null, mode: first.mode, best: table.best, hrefs: table.hrefs };
}

function curvesOf(facts, context) {
  const { curves } = facts;
  const at = new Map(facts.jobs.job.map((job, index) => [job, index]));
  const drawn = curves.curves.map((curve) => {
    const index = at.get(curve.job);
    const run = index === undefined ? null : facts.jobs.run[index];
    const result = index === undefined ? null : (facts.jobs.values[0]?.[index] ?? facts.jobs.latest?.[index] ?? null);
    return { ...curve, label: jobName(facts, curve.job), result, href: run ? context.hrefOf(run) : null };
  });
  const winner = winnerIndex(facts);
  return { ...curves, curves: drawn, best: winner < 0 ? -1 : drawn.findIndex((curve) => curve.job === facts.jobs.job[winner]) };
}

function frame(name, title) {
  const body = h("div", { class: "section-body" });
  return { title, body, node: h("section", { class: `section sweep-${name}`, dataset: { section: name }, "aria-label": title, hidden: true }, title ? h("h2", null, title) : null, body) };
}

/** A section of words: built anew only when what it says has changed; open parts stay open, and the focus stays. */
function words(name, title, build) {
  const { node, body } = frame(name, title);
  let said = null;
  return {
    node,
    title,
    update(facts) {
      const content = build(facts);
      const next = h("div", null, content);
      const says = signature(next);
      node.hidden = !next.childNodes.length;
      if (says === said) return;
      said = says;
      const open = new Map([...body.querySelectorAll("details[data-key]")].map((part) => [part.dataset.key, part]));
      for (const part of next.querySelectorAll("details[data-key]")) {
        const known = open.get(part.dataset.key);
        if (!known) continue;
        part.open = known.open;
        const [log, old] = [part.querySelector("pre.log"), known.querySelector("pre.log")];
        if (log && old && !log.textContent) log.textContent = old.textContent; // until it is read anew
      }
      putAnew(body, ...next.childNodes);
    },
  };
}

/** All that a reader can see of a part, so that nothing is drawn anew for nothing. */
function signature(node) {
  const marks = [...node.querySelectorAll("[href],[title],[src]")].map((each) => `${each.getAttribute("href")} ${each.title}`);
  const widths = [...node.querySelectorAll(".progress-bar > i")].map((each) => each.style.flexGrow);
  return [node.textContent, ...marks, ...widths].join("\n");
}

/** A section with a chart: made when it is first seen (at once where it may be printed), then fed. */
function drawn(name, title, context, has, make) {
  const { node, body } = frame(name, title);
  let [chart, latest, waits] = [null, null, null];
  const start = () => {
    waits = null;
    chart = make(body, latest);
  };
  return {
    node,
    title,
    update(facts) {
      latest = facts;
      node.hidden = !has(facts);
      if (node.hidden) return;
      if (chart) chart.update(facts);
      else if (!context.live) start();
      else waits ??= whenVisible(body, start);
    },
    destroy() {
      waits?.();
      chart?.destroy?.();
    },
  };
}
