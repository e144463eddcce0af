/** A version of a model as a part that opens: its verdict, which is asked for when it opens, and where it came from. */

import { h, put, putAnew } from "./dom.js";
import { getJson, pathOf } from "./api.js";
import { bytes, counted, shown, text, timeShown } from "./format.js";
import { leftOut } from "./models_page.js";
import { rerunWords } from "./run_parts.js";
import { failedState, loadingState } from "./states.js";
import { badge, reasonList, verdictView } from "./verdict_view.js";
import { allVerdicts, promotedInShort, promotedWords, shownWords } from "./version_verdicts.js";

const COMMIT = 12; // characters of a commit that are shown

/**
 * Return `{node, drawn, choose(), destroy()}` of a version; `drawn` is kept once what it shows at first is there. `choose` shows what
 * `page.chosen` says now.
 *
 * `page`: `id` and `context`, `open` (the numbers of the versions that are open), `chosen` (of versions that show another decision than the
 * one that counts, its number), and `wholes`, in which verdicts are remembered.
 */
export function versionPart(page, model, version) {
  const { objective, verdict } = version;
  const names = Object.entries(model.aliases).filter(([, known]) => known === version.version).map(([alias]) => h("span", { class: alias === "champion" ? "tag accent" : "tag" }, alias));
  const place = h("div", { class: "section" });
  const state = { view: null, asked: null, left: false, says: null };
  const show = () => (state.asked ??= shownWhole(page, version, place, state));
  const node = h("details", { class: version.archived ? "card version is-archived" : "card version", open: page.open.has(version.version), dataset: { version: version.version } },
    h("summary", null,
      h("strong", null, `v${version.version}`), " ", names, " ", version.archived ? [h("span", { class: "tag" }, "archived"), " "] : null,
      h("span", { class: "num" }, objective?.metric ? `${objective.metric} ` : "", shown(objective?.value)), " ",
      verdict ? badge(verdict.promote) : null, " ", promotedInShort(version), h("span", { class: "hint" }, timeShown(version.created_at))),
    place);
  node.addEventListener("toggle", () => {
    if (node.open) {
      page.open.add(version.version);
      show();
    } else page.open.delete(version.version);
  });
  return {
    node,
    drawn: node.open ? show() : Promise.resolve(),
    choose() {
      if (!node.open || state.says === saysOf(page, version)) return;
      state.asked = null;
      show();
    },
    destroy() {
      state.left = true;
      state.view?.destroy();
    },
  };
}

function saysOf(page, version) {
  return JSON.stringify([version.verdict, version.verdicts, version.promoted, page.chosen.get(version.version) ?? null]);
}

// What was asked for once is asked for again only when the verdict is another one.
async function shownWhole(page, version, place, state) {
  const which = page.chosen.get(version.version) ?? null;
  const says = saysOf(page, version);
  const known = page.wholes.get(version.version);
  state.says = says;
  if (known) draw(page, version, known.whole, place, state); // an older verdict stays until the new one is there
  if (known?.says === says) return;
  const quiet = known ? () => {} : loadingState(place);
  try {
    const whole = await getJson(page.context.api(pathOf("model", page.id, "version", version.version)), which === null ? {} : { verdict: which });
    if (state.says !== says) return; // another decision was chosen meanwhile
    page.wholes.set(version.version, { says, whole });
    quiet();
    if (!state.left) draw(page, version, whole, place, state);
  } catch (error) {
    quiet();
    if (!error.kind) console.error(error); // a fault of the page itself
    if (!state.left && state.says === says) put(place, failedState(error, () => (state.asked = shownWhole(page, version, place, state))));
  }
}

function draw(page, version, whole, place, state) {
  const { context } = page;
  const { verdict, code, left_out: lost } = whole;
  const hrefOf = (number) => context.link("model", page.id, { version: version.version, verdict: number });
  const isListed = place.querySelector("details[data-key=verdicts]")?.open ?? false;
  state.view?.destroy();
  const href = (run) => (version.origin ? null : context.link("run", run));
  state.view = verdict ? verdictView(verdict, { hrefOf: href }) : null;
  putAnew(place,
    leftOut(lost),
    archivedWords(version),
    h("h3", null, "Verdict"),
    shownWords(whole, hrefOf),
    promotedWords(version, whole, hrefOf),
    state.view?.node ?? (version.verdict ? reasonList(version.verdict.reasons.map((words) => ({ words, passes: version.verdict.promote }))) : h("p", { class: "hint" }, "The gate has not judged it.")),
    allVerdicts(whole, version.version, hrefOf, isListed),
    h("div", { class: "columns" }, h("div", { class: "section" }, h("h3", null, "Where it came from"), lineage(page, version, code)), metricsPart(version)));
}

function archivedWords({ archived }) {
  if (!archived) return null;
  return h("p", null, "Archived ", timeShown(archived.at), archived.who ? ` by ${archived.who}` : "", archived.why ? `: ${archived.why}` : ", no reason given");
}

function lineage({ context }, version, code) {
  const data = version.data ?? {};
  const { sweep, rerun } = version;
  const facts = [
    ["run", version.origin ? `${version.run} of another store` : h("a", { href: context.link("run", version.run) }, version.run)],
    ["made again", rerun ? rerunWords(rerun, context) : null],
    ["sweep", sweep?.id ? [h("a", { href: context.link("sweep", sweep.id) }, sweep.id), sweep.job === null || sweep.job === undefined ? "" : `, job ${sweep.job}`] : null],
    ["code", code?.commit ? [h("code", { title: text(code.commit) }, text(code.commit).slice(0, COMMIT)), code.branch ? ` of ${text(code.branch)}` : "", code.dirty ? ", with changes that were not committed" : ""] : null],
    ["data", Object.keys(data).length ? [Number.isFinite(data.rows) ? counted(data.rows, "row") : "", data.target ? ` to predict ${text(data.target)}` : ""] : null],
    ["fingerprint", data.fingerprint ? h("code", null, text(data.fingerprint)) : null],
    ["loader", version.loader ? h("code", null, version.loader) : null],
    ["files", version.files.length ? version.files.map((file) => h("div", { title: `SHA-256 ${file.sha256}` }, file.name, " ", h("span", { class: "hint" }, bytes(file.size)))) : null],
  ];
  return h("dl", { class: "facts" }, facts.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}

function metricsPart(version) {
  const title = version.metrics_title ?? "Metrics";
  return h("div", { class: "section" },
    h("h3", null, title),
    h("div", { class: "grid-box" }, h("table", { class: "grid" }, h("caption", { class: "offscreen" }, `${title} of version ${version.version}`), h("tbody", null, Object.entries(version.metrics).map(([name, value]) => h("tr", null, h("th", { scope: "row" }, name), h("td", { class: "n" }, shown(value))))))));
}
