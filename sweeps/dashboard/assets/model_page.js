/** One model: how to load it, its champion and the history of it, and each version with its verdict and where it came from. */

import { h, put, putAnew } from "./dom.js";
import { getJson, pathOf } from "./api.js";
import { button, codeBlock } from "./controls.js";
import { bytes, counted, grouped, number, shown, text, timeShown } from "./format.js";
import { watch } from "./live.js";
import { leftOut } from "./models_page.js";
import { everySeen, refetching } from "./refetch.js";
import { scatterChart } from "./scatter_chart.js";
import { loaded } from "./states.js";
import { badge, reasonList } from "./sweep_summary.js";

const AGAIN_MS = 10000;
const FIRST = 30; // versions and events before all are asked for
const WORDS = { registered: "registered", promoted: "became champion", rolled_back: "rolled back to", aliased: "named", unaliased: "lost the name", removed: "removed" };

/** Show the page; return `{leave()}`. */
export function show(host, address, context) {
  const page = { id: address.id, context, chart: null, all: false, open: null, drawn: "" };
  page.tags = h("span", { class: "tags" });
  page.body = h("div", { class: "model-body" });
  context.title(page.id);
  put(host, h("div", { class: "head" },
    h("div", null, h("div", { class: "crumbs" }, h("a", { href: context.link("models") }, "Models"), " /"), h("h1", { tabIndex: -1 }, page.id)), page.tags), page.body);
  const load = (signal) => getJson(context.api(pathOf("model", page.id)), {}, signal);
  const shownNow = (model) => {
    draw(page, model);
    context.ready("model");
  };
  const first = loaded(page.body, load, (model) => {
    page.drawn = "";
    shownNow(model);
  });
  const again = refetching(load, shownNow);
  const stops = [watch({ store: context.store, sweeps: true }, { sweeps: again.ask }), everySeen(AGAIN_MS, again.ask)];
  return {
    leave() {
      first.stop();
      again.stop();
      for (const stop of stops) stop();
      page.chart?.destroy();
    },
  };
}

function draw(page, model) {
  const says = JSON.stringify(model) + page.all;
  if (says === page.drawn) return;
  page.drawn = says;
  page.open ??= new Set([model.champion ?? model.versions[0]?.version]);
  page.chart?.destroy();
  put(page.tags, Object.entries(model.aliases).map(([alias, version]) => h("span", { class: alias === "champion" ? "tag accent" : "tag" }, `${alias}: v${version}`)));
  const place = h("div", null);
  const valued = model.versions.filter((version) => Number.isFinite(version.objective?.value));
  const section = (title, ...content) => h("section", { class: "section", "aria-label": title }, h("h2", null, title), content);
  const more = model.versions.length - FIRST;
  putAnew(page.body,
    leftOut(model.left_out),
    section("Load it", h("p", { class: "hint" }, model.champion ? "The champion, in Python where podium is installed:" : "There is no champion yet. The newest version, in Python where podium is installed:"), codeBlock(model.load),
      model.commands.length ? h("details", null, h("summary", null, "Look at it and change its champion in the terminal"), model.commands.map((command) => codeBlock(command))) : null),
    valued.length > 2 ? section("Value by version", place) : null,
    section(counted(model.versions.length, "version"), h("div", { class: "versions" }, model.versions.slice(0, page.all ? undefined : FIRST).map((version) => card(page, model, version))),
      more > 0 && !page.all ? button(`Show all ${grouped(model.versions.length)}`, () => {
        page.all = true;
        draw(page, model);
      }) : null),
    section("History", history(page, model)),
  );
  page.chart = valued.length > 2 ? scatterChart(place, valuesOf(valued, model.champion, page.context), { height: 220 }) : null;
}

function valuesOf(versions, champion, context) {
  const oldest = versions.toReversed();
  const [{ objective }] = versions;
  return {
    labels: oldest.map((version) => `version ${version.version} · ${version.run}`),
    x: { label: "version", scale: "linear", values: oldest.map((version) => version.version) },
    y: { label: objective.metric, values: oldest.map((version) => (version.objective.metric === objective.metric ? version.objective.value : null)) },
    colour: null,
    mode: objective.mode,
    best: oldest.findIndex((version) => version.version === champion),
    bestWord: "the champion",
    hrefs: oldest.map((version) => context.link("run", version.run)),
  };
}

function card(page, model, version) {
  const { objective, verdict } = version;
  const names = Object.entries(model.aliases).filter(([, known]) => known === version.version).map(([alias]) => h("span", { class: alias === "champion" ? "tag accent" : "tag" }, alias));
  const part = h("details", { class: "card version", open: page.open.has(version.version) },
    h("summary", null,
      h("strong", null, `v${version.version}`), " ", names, " ",
      h("span", { class: "num" }, objective?.metric ? `${objective.metric} ` : "", shown(objective?.value)), " ",
      verdict ? badge(verdict.promote) : null, " ", h("span", { class: "hint" }, timeShown(version.created_at))),
    content(page, version));
  part.addEventListener("toggle", () => (part.open ? page.open.add(version.version) : page.open.delete(version.version)));
  return part;
}

function content(page, version) {
  const { context } = page;
  const pairs = (entries) => h("dl", { class: "facts" }, entries.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
  const data = version.data ?? {};
  const champion = version.verdict?.champion;
  return h("div", { class: "columns" },
    h("div", { class: "section" },
      h("h3", null, "Verdict"),
      version.verdict ? reasonList(version.verdict.promote, version.verdict.reasons) : h("p", { class: "hint" }, "The gate has not judged it."),
      champion ? h("p", { class: "hint" }, `It was judged against version ${champion.version} (${champion.run_id}), ${number(champion.objective?.value)}.`) : null,
      h("h3", null, "Where it came from"),
      pairs([
        ["run", h("a", { href: context.link("run", version.run) }, version.run)],
        ["sweep", version.sweep?.id ? [h("a", { href: context.link("sweep", version.sweep.id) }, version.sweep.id), version.sweep.job === null || version.sweep.job === undefined ? "" : `, job ${version.sweep.job}`] : null],
        ["data", Object.keys(data).length ? [Number.isFinite(data.rows) ? counted(data.rows, "row") : "", data.target ? ` to predict ${data.target}` : ""] : null],
        ["fingerprint", data.fingerprint ? h("code", null, data.fingerprint) : null],
        ["loader", version.loader ? h("code", null, version.loader) : null],
        ["files", version.files.length ? version.files.map((file) => h("div", { title: `SHA-256 ${file.sha256}` }, file.name, " ", h("span", { class: "hint" }, bytes(file.size)))) : null],
      ])),
    h("div", { class: "section" },
      h("h3", null, version.metrics_title ?? "Metrics"),
      h("div", { class: "grid-box" }, h("table", { class: "grid" }, h("caption", { class: "offscreen" }, `${version.metrics_title ?? "Metrics"} of version ${version.version}`), h("tbody", null, Object.entries(version.metrics).map(([name, value]) => h("tr", null, h("th", { scope: "row" }, name), h("td", { class: "n" }, shown(value)))))))));
}

function history(page, model) {
  const events = model.events.toReversed();
  const seen = page.all ? events : events.slice(0, FIRST);
  const words = (event) => {
    const change = event.before !== null && event.before !== event.version && ["promoted", "rolled_back"].includes(event.what) ? ` (before: v${event.before})` : "";
    return `v${event.version} ${WORDS[event.what] ?? text(event.what)}${event.alias ? ` ${event.alias}` : ""}${change}`;
  };
  return h("div", { class: "grid-box" }, h("table", { class: "grid history" }, h("caption", { class: "offscreen" }, "Events, the newest first"),
    h("thead", null, h("tr", null, ["when", "what", "by", "why"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", null, seen.map((event) => h("tr", { class: event.what === "promoted" || event.what === "rolled_back" ? "is-change" : null }, h("td", { class: "whole" }, timeShown(event.at)), h("td", { class: "whole" }, words(event)), h("td", null, event.who), h("td", { class: "wide" }, event.why))))));
}
