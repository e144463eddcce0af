/** One model: how to load it, its champion and the history of it, and each version with its verdict and where it came from. */

import { h, put, putAnew } from "./dom.js";
import { getJson, pathOf } from "./api.js";
import { button, codeBlock } from "./controls.js";
import { counted, grouped, text, timeShown } from "./format.js";
import { watch } from "./live.js";
import { versionPart } from "./model_version.js";
import { leftOut } from "./models_page.js";
import { everySeen, refetching } from "./refetch.js";
import { scatterChart } from "./scatter_chart.js";
import { stackedTable } from "./stacked_table.js";
import { loaded } from "./states.js";

const AGAIN_MS = 30000; // for runs that were made again, of which the stream of models does not tell
const FIRST = 30; // versions and events before all are asked for
const WORDS = { registered: "registered", promoted: "became champion", rolled_back: "rolled back to", aliased: "named", unaliased: "lost the name", removed: "removed", looked: "was compared with the champion", refused: "was refused", archived: "was archived", unarchived: "is in use again", exported: "was exported", imported: "was imported" };
const MARKS = { promoted: ["good", "✓"], rolled_back: ["warn", "↶"], refused: ["bad", "✗"] };

/** Show the page; return `{change(address), leave()}`. An address with `version` opens that one. */
export function show(host, address, context) {
  const page = { id: address.id, context, chart: null, parts: [], wholes: new Map(), chosen: new Map(), all: false, open: null, asked: null, drawn: "" };
  ask(page, address);
  page.tags = h("span", { class: "tags" });
  page.body = h("div", { class: "model-body" });
  context.title(page.id);
  put(host, h("div", { class: "head" },
    h("div", null, h("div", { class: "crumbs" }, h("a", { href: context.link("models") }, "Models"), " /"), h("h1", { tabIndex: -1 }, page.id)), page.tags), page.body);
  const load = (signal) => getJson(context.api(pathOf("model", page.id)), {}, signal);
  const shownNow = async (model) => {
    await draw(page, model);
    context.ready("model");
  };
  const first = loaded(page.body, load, (model) => {
    page.drawn = "";
    return shownNow(model);
  });
  const again = refetching(load, shownNow);
  const stops = [watch({ store: context.store, models: true }, { models: again.ask }), everySeen(AGAIN_MS, again.ask)];
  return {
    change(next) {
      ask(page, next);
      goTo(page);
      context.ready("model");
    },
    leave() {
      first.stop();
      again.stop();
      for (const stop of stops) stop();
      clear(page);
    },
  };
}

// Note the version that an address names, and which decision on it: without one that is the one that counts.
function ask(page, { params }) {
  const number = (name) => Number.parseInt(params.get(name) ?? "", 10) || null;
  page.asked = number("version");
  if (page.asked !== null) page.chosen.set(page.asked, number("verdict"));
}

// Open the version that the address names, and bring it into view.
function goTo(page) {
  const part = page.asked === null ? null : page.parts.find(({ node }) => node.dataset.version === String(page.asked));
  page.asked = null;
  if (!part) return;
  part.node.open = true;
  part.choose();
  part.node.scrollIntoView({ block: "start" });
  part.node.querySelector("summary").focus({ preventScroll: true });
}

function clear(page) {
  page.chart?.destroy();
  for (const part of page.parts) part.destroy();
  page.parts = [];
}

async function draw(page, model) {
  const says = JSON.stringify(model) + page.all;
  if (says === page.drawn) return;
  page.drawn = says;
  page.open ??= new Set([page.asked ?? model.champion ?? (model.versions.find(({ archived }) => !archived) ?? model.versions[0])?.version]);
  page.all ||= model.versions.findIndex(({ version }) => version === page.asked) >= FIRST;
  clear(page);
  page.parts = model.versions.slice(0, page.all ? undefined : FIRST).map((version) => versionPart(page, model, version));
  put(page.tags, Object.entries(model.aliases).map(([alias, version]) => h("span", { class: alias === "champion" ? "tag accent" : "tag" }, `${alias}: v${version}`)));
  const place = h("div", null);
  const used = model.versions.filter(({ archived }) => !archived);
  const gone = model.versions.length - used.length;
  const valued = used.filter((version) => Number.isFinite(version.objective?.value));
  const section = (title, ...content) => h("section", { class: "section", "aria-label": title }, h("h2", null, title), content);
  const more = model.versions.length - FIRST;
  putAnew(page.body,
    leftOut(model.left_out),
    section("Load it", h("p", { class: "hint" }, model.champion ? "The champion, in Python where podium is installed:" : "There is no champion yet. The newest version, in Python where podium is installed:"), codeBlock(model.load),
      model.commands.length ? h("details", null, h("summary", null, "Look at it and change its champion in the terminal"), model.commands.map((command) => codeBlock(command))) : null),
    valued.length > 2 ? section("Value by version", place) : null,
    section(`${counted(model.versions.length, "version")}${gone ? `, ${grouped(gone)} archived` : ""}`, h("div", { class: "versions" }, page.parts.map((part) => part.node)),
      more > 0 && !page.all ? button(`Show all ${grouped(model.versions.length)}`, () => {
        page.all = true;
        draw(page, model);
      }) : null),
    section("History", history(page, model)),
  );
  page.chart = valued.length > 2 ? scatterChart(place, valuesOf(valued, model.champion, page.context), { height: 220 }) : null;
  await Promise.all(page.parts.map((part) => part.drawn));
  goTo(page);
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

function history(page, model) {
  const events = model.events.toReversed();
  const seen = page.all ? events : events.slice(0, FIRST);
  const there = new Set(model.versions.map(({ version }) => version));
  const line = (event) => h("tr", { class: ["promoted", "rolled_back"].includes(event.what) ? "is-change" : null },
    h("td", { class: "whole" }, timeShown(event.at)),
    h("td", { class: "whole" }, mark(event), there.has(event.version) ? h("a", { href: page.context.link("model", page.id, { version: event.version }) }, `v${event.version}`) : `v${event.version}`, ` ${eventWords(event)}`),
    h("td", null, event.who), h("td", { class: "wide" }, event.why));
  const heads = [{ name: "when", plain: true }, { name: "what", plain: true }, { name: "by" }, { name: "why", plain: true }];
  return h("div", { class: "grid-box" }, stackedTable("history", "Events, the newest first", heads, seen.map(line)));
}

function eventWords(event) {
  const change = event.before !== null && event.before !== event.version && ["promoted", "rolled_back"].includes(event.what) ? ` (before: v${event.before})` : "";
  return `${WORDS[event.what] ?? text(event.what)}${event.alias ? ` ${event.alias}` : ""}${event.look ? ` (look ${event.look})` : ""}${change}`;
}

function mark({ what }) {
  const [kind, sign] = MARKS[what] ?? ["", "·"];
  return h("span", { class: `event-mark ${kind}`, "aria-hidden": "true" }, sign);
}
