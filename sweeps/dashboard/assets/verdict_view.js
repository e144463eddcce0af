/** A verdict of the gate: the decision, its reasons, the rules, the pictures, and what it was made from. */

import { h } from "./dom.js";
import { durationShown, exactTime, number, shown } from "./format.js";
import { gainChart, pairChart } from "./verdict_charts.js";
import { measured, rulesTable } from "./verdict_rules.js";

const BASES = {
  recorded: "The values that the runs recorded decided: the versions were not scored on the same rows.",
  first: "There was no champion, so the absolute rules decided.",
};
const NAMES = { Power: "Could be seen", Choice: "Chosen" };
const HASH = 12; // characters of a hash that are shown

/** Return the word of a verdict. */
export function badge(passed, words = passed ? "promoted" : "not promoted") {
  return h("span", { class: `badge ${passed ? "is-good" : "is-bad"}` }, `${passed ? "✓" : "✗"} ${words}`);
}

/** Return reasons, each with what it says of its rule: passed (true), failed (false), or neither (null). */
export function reasonList(reasons) {
  if (!reasons.length) return null;
  return h("ul", { class: "reasons" }, reasons.map(({ words, passes }) => {
    const [kind, mark, label] = passes === null ? ["", "·", "note"] : passes ? ["is-good", "✓", "passed"] : ["is-bad", "✗", "failed"];
    return h("li", { class: kind }, h("span", { class: "mark", role: "img", "aria-label": label }, mark), h("span", null, words));
  }));
}

/**
 * Return `{node, destroy()}` of a verdict as the server tells it. `context.hrefOf(run)` leads to a run, null where nothing can be linked.
 * A verdict of a version before scoring has no rules and no pictures: its reasons are all there is.
 */
export function verdictView(verdict, context) {
  const charts = [];
  const draw = (make) => {
    const host = h("div", null);
    const chart = make(host, verdict);
    if (!chart) return null;
    charts.push(chart);
    return h("div", { class: "verdict-chart" }, h("h3", null, chart.title), host);
  };
  const drawn = [pairChart, gainChart].map(draw).filter(Boolean);
  const node = h("div", { class: "verdict" },
    h("p", { class: "verdict-sentence" }, badge(verdict.promote), " ", verdict.sentence),
    reasonList(verdict.why),
    h("dl", { class: "facts" }, factsOf(verdict, context).map(([name, ...words]) => [h("dt", null, name), h("dd", null, words)])),
    rulesTable(verdict.rules),
    drawn.length ? h("div", { class: "verdict-charts" }, drawn) : null,
    measuresPart(verdict),
    madeOfPart(verdict));
  return { node, destroy: () => charts.forEach((chart) => chart.destroy()) };
}

function factsOf(verdict, context) {
  const { champion, challenger } = verdict;
  const made = [];
  if (champion) made.push(["Champion", ...sideWords(champion, context)]);
  if (challenger) made.push(["Challenger", ...sideWords(challenger, context)]);
  for (const { name, words } of verdict.notes) made.push([NAMES[name] ?? name, words, name === "Rows" && verdict.split?.hash ? [" ", hash(verdict.split.hash)] : null]);
  if (BASES[verdict.basis]) made.push(["Basis", BASES[verdict.basis]]);
  if (verdict.at) made.push(["Judged", h("time", { datetime: verdict.at }, exactTime(verdict.at)), verdict.by ? ` by ${verdict.by}` : "", verdict.took_s === null ? "" : [" in ", durationShown(verdict.took_s)]]);
  return made;
}

function sideWords({ version, run_id: run, metric, value }, context) {
  const href = run && context.hrefOf?.(run);
  return [version === null ? "" : `v${version} `, run ? ["(", href ? h("a", { href }, run) : run, ")"] : "", metric ? [`, recorded ${metric} `, shown(value)] : ""];
}

function hash(value) {
  return h("code", { title: value }, value.replace(/^sha256:/, "").slice(0, HASH));
}

function measuresPart({ differences }) {
  if (!differences.length) return null;
  const has = (name) => differences.some((each) => each[name] !== null);
  const heads = [["measure"], ["champion", "n"], ["challenger", "n"], ["gain", "n"], ["standard error", "n"], ["found by"], ...(has("draws") ? [["draws", "n"]] : []), ...(has("clusters") ? [["clusters", "n"]] : [])];
  const row = (each) => h("tr", null, h("th", { scope: "row" }, each.measure ?? ""), ["champion", "challenger", "gain", "error"].map((name) => h("td", { class: "n" }, measured(each.measure, each[name]))),
    h("td", null, each.method ?? ""), ["draws", "clusters"].filter(has).map((name) => h("td", { class: "n" }, number(each[name]))));
  return h("details", { dataset: { key: "measures" } }, h("summary", null, "All measures on these rows; a positive gain is better"),
    h("div", { class: "grid-box", tabIndex: 0, role: "region", "aria-label": "Table of measures" }, h("table", { class: "grid" }, h("caption", { class: "offscreen" }, "Measures of both versions"),
      h("thead", null, h("tr", null, heads.map(([name, kind]) => h("th", { scope: "col", class: kind ?? null }, name)))), h("tbody", null, differences.map(row)))));
}

function madeOfPart({ versions, split, challenger, champion, scores, scores_sha256: digest, printed }) {
  const made = [
    ["judged with", Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")],
    ["rows", split?.hash],
    ["challenger's manifest", challenger?.manifest_sha256],
    ["champion's manifest", champion?.manifest_sha256],
    ["challenger's data", challenger?.fingerprint],
    ["champion's data", champion?.fingerprint],
    ["predictions", scores ? `${scores}, beside verdict.json${digest ? `, SHA-256 ${digest}` : ""}` : null],
  ].filter(([, words]) => words);
  if (!made.length && !printed) return null;
  return h("details", { dataset: { key: "made of" } }, h("summary", null, "Versions and hashes"),
    h("dl", { class: "facts hashes" }, made.map(([name, words]) => [h("dt", null, name), h("dd", { class: name === "judged with" ? null : "mono" }, words)])),
    printed ? [h("h3", null, "What scoring printed"), h("pre", { class: "block", tabIndex: 0 }, printed)] : null);
}
