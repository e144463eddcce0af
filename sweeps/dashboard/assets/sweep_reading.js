/** What pages read out of the facts about a sweep: names, words, the winner, and the table of points that charts take. */

import { counted, number, text } from "./format.js";
import { guessScale, isFiniteValue } from "./axis.js";

const WITHOUT_RESULT = new Set(["failed", "killed", "cancelled"]);

/** Return what a job is called: its number, and its run where it has one. */
export function jobName(facts, job) {
  const index = facts.jobs.job.indexOf(job);
  const run = index < 0 ? null : facts.jobs.run[index];
  return run ? `job ${job} · ${run}` : `job ${job}`;
}

/** Return the run of a job, or null. */
export function runOf(facts, job) {
  const index = facts.jobs.job.indexOf(job);
  return index < 0 ? null : facts.jobs.run[index];
}

/** Return the index of the winner among the jobs, or -1. */
export function winnerIndex(facts) {
  return facts.jobs.rank.indexOf(1);
}

/** Return whether a job that stopped early may still go on: then it is paused. */
export function canGoOn(facts) {
  return Boolean(facts.search?.resumes) && !facts.search?.is_over && facts.state !== "finished";
}

/** Return the word for the status of a job. */
export function statusWord(facts, status) {
  if (status === "pruned") return canGoOn(facts) ? "paused" : "stopped early";
  return status;
}

/** Return the short name of a swept key. */
export function shortName(facts, key) {
  return isolated(facts.names?.[key] ?? key);
}

/** Return words of which no sign turns the direction of what stands around them. */
export function isolated(words) {
  return /[\u202a-\u202e\u2066-\u2069]/.test(words) ? `\u2068${words}\u2069` : words;
}

/** Return "as high as possible" or the like, and "higher is better". */
export function aim(objective) {
  return objective.mode === "max" ? "higher is better" : "lower is better";
}

/** Return what an objective is called. */
export function objectiveName(objective) {
  return objective.label ?? objective.metric;
}

/** Return the number of jobs that have ended, and of those that the sweep will have as far as it is known. */
export function progress(facts) {
  const { counts } = facts;
  const known = facts.jobs.job.length;
  const open = (counts.running ?? 0) + (counts.queued ?? 0) + (counts.unfinished ?? 0) + (counts.cancelled ?? 0);
  return { ended: known - open, known, total: Math.max(known, facts.n_trials ?? 0) };
}

/** Return a point as "learning_rate=0.001 dropout=0.1". */
export function pointWords(facts, point) {
  return facts.swept.filter((key) => point[key] !== null && point[key] !== undefined).map((key) => `${shortName(facts, key)}=${isolated(text(point[key]))}`).join("  ");
}

/** Return the point of the job at an index. */
export function pointOf(facts, index) {
  return Object.fromEntries(facts.swept.map((key) => [key, facts.jobs.point[key]?.[index] ?? null]));
}

/** Return the table of points of a sweep for `parallelChart` and `slicesChart`: settings, and the first objective. */
export function pointTable(facts, hrefOf) {
  const { jobs } = facts;
  const [objective] = facts.objectives;
  const keys = facts.swept.filter((key) => !facts.repeats.includes(key));
  return {
    labels: jobs.job.map((job, index) => (jobs.run[index] ? `job ${job} · ${jobs.run[index]}` : `job ${job}`)),
    columns: keys.map((key) => ({ key, label: shortName(facts, key), scale: scaleOf(facts, key), values: jobs.point[key] })),
    result: objective ? { label: objectiveName(objective), mode: objective.mode, values: resultsOf(facts, 0) } : null,
    best: winnerIndex(facts),
    hrefs: jobs.run.map((run) => (run ? hrefOf(run) : null)),
  };
}

/** Return the values of an objective, of jobs that came to one: what a job had when it failed is none. */
export function resultsOf(facts, place) {
  return facts.jobs.values[place].map((value, index) => (WITHOUT_RESULT.has(facts.jobs.status[index]) ? null : value));
}

/** A scale that the values contradict, as text among numbers, gives way to one that fits them. */
function scaleOf(facts, key) {
  const told = facts.scales?.[key];
  const guessed = guessScale(facts.jobs.point[key]);
  if (!told || (told !== "category" && guessed === "category")) return guessed;
  return told === "log" && guessed === "linear" && facts.jobs.point[key].some((value) => isFiniteValue(value) && Number(value) <= 0) ? "linear" : told;
}

/** Return the data sets that the jobs read, as words. */
export function dataWords(facts) {
  return (facts.data ?? []).map((data) => {
    const rows = Number.isFinite(data.rows) ? counted(data.rows, "row") : "";
    const target = data.target ? `to predict ${isolated(String(data.target))}` : "";
    return [isolated(String(data.name ?? "")), rows, target].filter(Boolean).join(" ") || `fingerprint ${String(data.fingerprint ?? "unknown").slice(0, 18)}`;
  });
}

/** Return a value of an objective as people read it. */
export function valueWords(value) {
  return value === null || value === undefined ? "none" : number(value);
}
