/** Parts of a sweep in words: the headline, the jobs of the moment, failures, the search, the verdict, how to repeat it. */

import { h, style } from "./dom.js";
import { codeBlock } from "./controls.js";
import { columnDecimals, counted, duration, durationShown, exactTime, grouped, number, shown, text, timeShown } from "./format.js";
import { runLink } from "./leaderboard.js";
import { aim, canGoOn, dataWords, isolated, jobName, objectiveName, pointOf, pointWords, progress, shortName, statusWord, valueWords, winnerIndex } from "./sweep_reading.js";
import { STATUS_COLOURS } from "./timeline_chart.js";
import { badge } from "./verdict_view.js";

const BAR_ORDER = ["completed", "pruned", "failed", "killed", "cancelled", "running", "queued", "unfinished"];
const MODES = {
  grid: "every combination of the values (grid)",
  zip: "the values of all settings side by side (zip)",
  random: "points drawn at random",
  list: "the points that were listed",
  tpe: "points that it learned from earlier jobs (tpe)",
  gp: "points that it learned from earlier jobs (gp, a Gaussian process)",
  cmaes: "points that it learned from earlier jobs (cmaes, an evolution strategy)",
  nsga2: "points that it bred from earlier jobs (nsga2, a genetic algorithm)",
  qmc: "points that fill the space evenly (qmc)",
};
const SCHEDULES = { asha: "let only the better jobs train on (asha)", median: "stopped jobs worse than the median early (median)" };
const MOST_LISTED = 50;
const MOST_MEANS = 10;
const PRINT = 19; // letters of a fingerprint that are shown

/** Return what the sweep is about: what it tried, the best of it, how far it is, and the verdict. */
export function headline(facts, context) {
  const [objective] = facts.objectives;
  return [
    h("p", { class: "lead" }, leadWords(facts)),
    h("div", { class: "tiles" }, tiles(facts, context)),
    progressBar(facts),
    facts.warnings?.length ? h("p", { class: "warn" }, facts.warnings.join(" ")) : null,
    winnerIndex(facts) >= 0 && objective ? bestSettings(facts) : null,
    verdictLine(facts),
  ];
}

function leadWords(facts) {
  const { known, total } = progress(facts);
  const [first, ...others] = facts.objectives;
  const isRunning = facts.state === "running";
  const ran = isRunning ? "runs" : "ran";
  const did = facts.swept.length ? `${isRunning ? "is trying" : "tried"} ${counted(facts.swept.length, "setting")} (${listed(facts.swept.map((key) => shortName(facts, key)), 8)}) in` : ran;
  const by = first ? `; by ${objectiveName(first)}, ${aim(first)}${others.map((each) => `, and ${objectiveName(each)}, ${aim(each)}`).join("")}` : "";
  const points = facts.mode ? ` It ${facts.state === "running" ? "takes" : "took"} ${MODES[facts.mode] ?? `points by ${facts.mode}`}` : "";
  const how = points ? `${points}${facts.schedule ? `, and ${SCHEDULES[facts.schedule] ?? `${facts.schedule} stopped weak jobs early`}` : ""}.` : "";
  const bounds = facts.constraints?.length ? ` A job must keep ${listed(facts.constraints, 5)}.` : "";
  const data = dataWords(facts);
  const read = data.length ? ` Data: ${listed(data, 3)}.` : "";
  return `This sweep ${did} ${counted(total || known, "job")}${by}.${how}${bounds}${read}`;
}

function listed(words, most) {
  const more = words.length - most;
  return more > 0 ? `${words.slice(0, most).join(", ")} and ${more} more` : words.join(", ");
}

function tiles(facts, context) {
  const { ended, total } = progress(facts);
  const winner = winnerIndex(facts);
  const tile = (name, value, below) => h("div", { class: "tile" }, h("span", null, name), h("span", null, value, below ? h("small", null, " ", below) : null));
  const made = [];
  facts.objectives.forEach((objective, place) => {
    if (winner < 0) return;
    const value = facts.jobs.values[place][winner];
    made.push(tile(`${place ? "its" : "Best"} ${objectiveName(objective)}`, shown(value), place ? null : h("span", null, `job ${facts.jobs.job[winner]} `, facts.jobs.run[winner] ? runLink(facts.jobs.run[winner], context) : null)));
  });
  const mean = facts.candidates?.[0];
  if (mean?.n > 1) made.push(tile(`Mean of its ${mean.n} jobs`, shown(mean.mean), mean.std === null ? null : `± ${number(mean.std, 2)}`));
  if (winner < 0) made.push(tile("Best", "none yet"));
  made.push(tile("Jobs ended", `${grouped(ended)} of ${grouped(total)}`));
  const failed = (facts.counts.failed ?? 0) + (facts.counts.killed ?? 0);
  if (failed) made.push(tile("Failed", h("span", { class: "bad" }, grouped(failed))));
  if (facts.state === "running") made.push(...livingTiles(facts, tile));
  else made.push(tile("Took", durationShown(tookSeconds(facts)), facts.was_killed ? "until it was killed" : null));
  if (facts.usage && facts.state !== "running") made.push(tile("Slots busy", `${Math.round(100 * facts.usage.utilisation)} %`, `of ${counted(facts.usage.slots, "slot")}`));
  if (facts.created_at) made.push(tile("Began", context.live ? timeShown(facts.created_at) : h("span", null, exactTime(facts.created_at).replace(/:\d\d \(.*/, ""))));
  return made;
}

function livingTiles(facts, tile) {
  const slots = facts.timeline?.slots ?? 0;
  return [
    tile("Left", facts.eta_s === null || facts.eta_s === undefined ? "cannot tell yet" : `about ${duration(facts.eta_s)}`),
    tile("Slots busy", `${facts.counts.running ?? 0} of ${slots}`),
  ];
}

/** Return the seconds that all sessions took. */
export function tookSeconds(facts) {
  if (facts.usage) return facts.usage.wall_s;
  return (facts.timeline?.sessions ?? []).reduce((sum, [from, to]) => sum + (to - from), 0);
}

/** Return the bar of jobs by their states, with a legend. */
export function progressBar(facts) {
  const { total } = progress(facts);
  const known = BAR_ORDER.filter((status) => facts.counts[status]);
  const open = Math.max(0, total - known.reduce((sum, status) => sum + facts.counts[status], 0));
  const piece = (status, count) => style(h("i", { title: `${statusWord(facts, status)}: ${count}` }), { "flex-grow": count, background: status ? `var(${STATUS_COLOURS[status]})` : "transparent" });
  const words = known.map((status) => h("span", null, h("i", { class: "square", "aria-hidden": "true", style: { "--swatch": `var(${STATUS_COLOURS[status]})` } }), `${grouped(facts.counts[status])} ${statusWord(facts, status)}`));
  if (open) words.push(h("span", null, `${grouped(open)} to come`));
  return h("div", { class: "progress" },
    h("div", { class: "progress-bar", "aria-hidden": "true" }, known.map((status) => piece(status, facts.counts[status])), open ? piece("", open) : null),
    h("div", { class: "chart-legend hint" }, words));
}

function bestSettings(facts) {
  const winner = winnerIndex(facts);
  const point = pointOf(facts, winner);
  const keys = facts.swept.filter((key) => !facts.repeats.includes(key) && point[key] !== null && point[key] !== undefined);
  if (!keys.length) return null;
  return h("div", { class: "best-settings" }, h("h3", null, `Best settings so far (job ${facts.jobs.job[winner]})`.replace(facts.state === "running" ? "" : " so far", "")),
    h("dl", { class: "facts settings" }, keys.flatMap((key) => [h("dt", { title: key }, shortName(facts, key)), h("dd", { class: "mono" }, shown(point[key]))])));
}

function verdictLine(facts) {
  const { promotion } = facts;
  if (!promotion) return null;
  return h("p", { class: "verdict-line" }, badge(promotion.promoted), " ", promotion.promoted ? `${isolated(promotion.model_name)} has a new champion: version ${promotion.version}.` : `${isolated(promotion.model_name)} keeps its champion.`);
}

/** Return the jobs of the moment: running with what they reached, paused, queued. */
export function jobsNow(facts, context) {
  const { jobs } = facts;
  const of = (status) => jobs.job.map((_, index) => index).filter((index) => jobs.status[index] === status);
  const [running, queued, paused] = [of("running"), of("queued"), canGoOn(facts) ? of("pruned") : []];
  const [objective] = facts.objectives;
  const rows = running.map((index) => h("tr", null,
    h("td", { class: "n" }, jobs.job[index]), h("td", null, runLink(jobs.run[index], context)),
    h("td", { class: "n" }, jobs.latest?.[index] === null || jobs.latest?.[index] === undefined ? "" : shown(jobs.latest[index])),
    h("td", { class: "n" }, epochWords(facts, jobs.epochs[index])), h("td", { class: "n" }, durationShown(jobs.duration_s[index])),
    h("td", { class: "mono settings-cell" }, pointWords(facts, pointOf(facts, index))),
    context.logOf ? h("td", null, logPart(jobs.job[index], context)) : null));
  const heads = [["job", "n"], ["run"], [objective ? `latest ${objectiveName(objective)}` : "latest", "n"], ["epochs", "n"], ["for", "n"], ["settings"], ...(context.logOf ? [["output"]] : [])];
  return [
    running.length
      ? h("div", { class: "grid-box" }, h("table", { class: "grid" }, h("caption", { class: "offscreen" }, "Running jobs"), h("thead", null, h("tr", null, heads.map(([name, kind]) => h("th", { class: kind ?? null, scope: "col" }, name)))), h("tbody", null, rows)))
      : h("p", { class: "hint" }, facts.state === "running" ? "No job runs at this moment." : "No job runs."),
    folded(facts, "queued", `${counted(queued.length, "job")} waiting for a slot`, queued),
    folded(facts, "paused", `${counted(paused.length, "job")} paused; the search may let them go on`, paused),
  ];
}

function epochWords(facts, epochs) {
  if (epochs === null || epochs === undefined) return "";
  return facts.max_epochs ? `${epochs} of ${facts.max_epochs}` : String(epochs);
}

function folded(facts, key, words, indices) {
  if (!indices.length) return null;
  const lines = indices.slice(0, MOST_LISTED).map((index) => {
    const value = facts.jobs.values[0]?.[index];
    return h("li", null, `job ${facts.jobs.job[index]} `, value === null || value === undefined ? null : `${number(value)} `, h("span", { class: "mono" }, pointWords(facts, pointOf(facts, index))));
  });
  const more = indices.length - lines.length;
  return h("details", { dataset: { key } }, h("summary", null, words), h("ul", { class: "plain" }, lines, more > 0 ? h("li", { class: "hint" }, `and ${grouped(more)} more`) : null));
}

/** Return a part that shows the last lines of a job's output once it is opened. */
function logPart(job, context) {
  const place = h("pre", { class: "block log", tabIndex: 0 }, "");
  const part = h("details", { dataset: { key: `log ${job}` } }, h("summary", null, "last lines"), place);
  part.addEventListener("toggle", async () => {
    if (!part.open) return;
    place.textContent ||= "Reading…";
    try {
      const lines = await context.logOf(job);
      place.textContent = lines.length ? lines.join("\n") : "It has printed nothing.";
      place.scrollTop = place.scrollHeight;
    } catch (error) {
      place.textContent = error.message;
    }
  });
  return part;
}

/** Return the jobs that failed, alike ones together, each with its error, its settings and the last lines of its log. */
export function failureList(facts, context) {
  if (!facts.failures.length) return [h("p", { class: "hint" }, "No job failed.")];
  const groups = new Map();
  for (const failure of facts.failures) {
    const name = failure.error ?? failure.status;
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(failure);
  }
  return [...groups].sort((a, b) => b[1].length - a[1].length).map(([error, alike]) => {
    const one = (failure) => h("div", { class: "failure" },
      h("p", null, h("strong", null, `job ${failure.job}`), " ", failure.run ? runLink(failure.run, context) : null, " ", h("span", { class: "mono" }, pointWords(facts, failure.point))),
      failure.lines.length ? h("pre", { class: "block log", tabIndex: 0 }, failure.lines.join("\n")) : null);
    const [first, ...others] = alike;
    const rest = others.slice(0, MOST_LISTED);
    return h("details", { class: "card failure-group", dataset: { key: `failure ${error}` }, open: !context.live && groups.size <= 3 },
      h("summary", null, h("span", { class: "bad" }, alike.length > 1 ? `${alike.length} jobs` : `job ${first.job}`), " ", h("span", { class: "mono" }, error)),
      one(first),
      rest.length ? h("details", { dataset: { key: `alike ${error}` } }, h("summary", null, `${counted(others.length, "more job")} with the same error`), rest.map(one)) : null);
  });
}

/** Return what the search has come to: the levels at which jobs are judged, and who would go on. */
export function searchBeliefs(facts) {
  const { search } = facts;
  if (!search) return null;
  const rungs = search.rungs ?? [];
  const { spent, saved } = search.epochs ?? {};
  const going = canGoOn(facts);
  const rows = rungs.map((rung) => h("tr", null,
    h("td", { class: "n" }, rung.level), h("td", { class: "n" }, rung.jobs), h("td", { class: "n" }, rung.paused.length),
    h("td", { class: "n" }, valueWords(rung.best)), h("td", null, rung.paused.length ? jobName(facts, rung.paused[0]) : "")));
  const budget = [search.budget_epochs && `${grouped(search.budget_epochs)} epochs`, search.budget_s && duration(search.budget_s)].filter(Boolean).join(" and ");
  return [
    h("p", null, `Jobs have trained ${counted(spent ?? 0, "epoch")}${budget ? ` of a budget of ${budget}` : ""}`, saved ? `; stopping weak ones early saved ${counted(saved, "epoch")}` : "", "."),
    rows.length ? h("div", { class: "grid-box" }, h("table", { class: "grid" }, h("caption", { class: "offscreen" }, "Levels of the search"),
      h("thead", null, h("tr", null, [["judged after epochs", "n"], ["jobs that came", "n"], [going ? "paused there" : "stopped there", "n"], ["their best", "n"], [going ? "next to go on" : "best of them", null]].map(([name, kind]) => h("th", { class: kind, scope: "col" }, name)))),
      h("tbody", null, rows))) : null,
    search.best?.leads_since ? h("p", { class: "hint" }, `The best so far leads since ${counted(search.best.leads_since.jobs, "job")} had ended and ${counted(search.best.leads_since.epochs, "epoch")} had been trained.`) : null,
  ];
}

/** Return the pictures of the winner that came with the facts. */
export function pictures(facts) {
  if (!facts.pictures?.length) return null;
  return h("div", { class: "pictures" }, facts.pictures.map((each) => h("figure", null, h("img", { src: each.src, alt: each.title }), h("figcaption", { class: "hint" }, each.title))));
}

/** Return how to run the sweep again, and what to know of its code and its folder. */
export function repeatPart(facts) {
  const made = [];
  if (facts.repeat?.command) made.push(h("p", null, "The command that ran it:"), codeBlock(facts.repeat.command));
  if (facts.repeat?.resume) made.push(h("p", null, `It was ${facts.was_killed ? "killed" : "interrupted"}. To go on with what is left:`), codeBlock(facts.repeat.resume));
  made.push(h("p", { class: "hint" }, "Its files lie in ", h("code", null, facts.folder), "."));
  const notes = [...(facts.code_notes ?? []), ...(facts.notes ?? [])];
  if (notes.length) made.push(h("h3", null, "To know"), h("ul", { class: "plain" }, notes.map((note) => h("li", null, note))));
  return made;
}

/** Return the candidates of a sweep that repeats each point, with the mean and the spread of their results. */
export function candidateTable(facts) {
  if (!facts.candidates?.length) return null;
  const [objective] = facts.objectives;
  const keys = facts.swept.filter((key) => !facts.repeats.includes(key));
  const first = facts.candidates.slice(0, MOST_MEANS);
  const decimals = columnDecimals(first.map((each) => each.mean));
  const rows = first.map((each) => h("tr", null,
    h("td", { class: "n" }, each.rank ?? ""), h("td", { class: "n" }, shown(each.mean, decimals)), h("td", { class: "n" }, each.std === null ? "" : `± ${number(each.std, 2)}`), h("td", { class: "n" }, each.n),
    keys.map((key) => h("td", { class: "n" }, text(each.point[key])))));
  return [
    h("p", { class: "hint" }, `Points are ranked by the mean over their jobs, which differ in ${listed(facts.repeats.map((key) => shortName(facts, key)), 3)} alone.${facts.candidates.length > MOST_MEANS ? ` The first ${MOST_MEANS} of ${facts.candidates.length}:` : ""}`),
    h("div", { class: "grid-box" }, h("table", { class: "grid" }, h("caption", { class: "offscreen" }, "Means over repeats"),
      h("thead", null, h("tr", null, ["#", `mean ${objectiveName(objective)}`, "spread", "jobs", ...keys.map((key) => shortName(facts, key))].map((name) => h("th", { class: "n", scope: "col" }, name)))), h("tbody", null, rows))),
  ];
}


/** Return the settings with the values that were tried, and the data that the jobs read. */
export function sweptPart(facts) {
  const rows = facts.swept.map((key) => h("tr", null, h("td", { class: "mono whole" }, key), h("td", null, facts.repeats.includes(key) ? "repeats each point" : (facts.scales?.[key] ?? "")), h("td", { class: "mono tried" }, triedWords(facts.jobs.point[key]))));
  const data = (facts.data ?? []).map((each) => h("dl", { class: "facts settings" }, Object.entries(each).filter(([, value]) => value !== null).map(([name, value]) => [h("dt", null, name), h("dd", { title: text(value) }, name === "fingerprint" ? text(value).slice(0, PRINT) : shortened(value))])));
  return [
    rows.length ? h("div", { class: "grid-box" }, h("table", { class: "grid" }, h("caption", { class: "offscreen" }, "Settings"), h("thead", null, h("tr", null, ["setting", "scale", "values tried"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", null, rows))) : h("p", { class: "hint" }, "No setting was varied."),
    data.length ? [h("h3", null, "Data"), data] : null,
  ];
}

function triedWords(values) {
  const known = [...new Map(values.filter((value) => value !== null && value !== undefined).map((value) => [text(value), value])).values()];
  const numbers = known.filter((value) => typeof value === "number").sort((a, b) => a - b);
  const lacks = values.some((value) => value === null || value === undefined) ? ", or not set" : "";
  if (numbers.length === known.length && known.length > 8) return `${number(numbers[0])} to ${number(numbers.at(-1))} (${grouped(known.length)} values)${lacks}`;
  return listed((numbers.length === known.length ? numbers : known).map((value) => text(value)), 12) + lacks;
}

function shortened(value) {
  const words = text(value);
  return words.length > 300 ? `${words.slice(0, 300)}…` : words;
}
