/** All models of a store: how many versions each has, its champion, and the last verdict. */

import { h, put, putAnew } from "./dom.js";
import { getJson } from "./api.js";
import { codeBlock } from "./controls.js";
import { shown, timeShown } from "./format.js";
import { watch } from "./live.js";
import { refetching } from "./refetch.js";
import { stackedTable } from "./stacked_table.js";
import { emptyState, loaded } from "./states.js";
import { badge } from "./verdict_view.js";

/** Show the page; return `{leave()}`. */
export function show(host, address, context) {
  const body = h("div", { class: "section" });
  put(host, h("div", { class: "head" }, h("h1", { tabIndex: -1 }, "Models")), body);
  context.title("Models");
  const load = (signal) => getJson(context.api("models"), {}, signal);
  const draw = (answer) => {
    putAnew(body, answer.models.length ? table(answer.models, context) : nothing(), leftOut(answer.left_out));
    context.ready("models");
  };
  const first = loaded(body, load, draw);
  const again = refetching(load, draw);
  const stopWatch = watch({ store: context.store, models: true }, { models: again.ask });
  return {
    leave() {
      first.stop();
      again.stop();
      stopWatch();
    },
  };
}

/** Return what could not be read, a sentence each; null if all was. */
export function leftOut(sentences) {
  return sentences?.length ? h("ul", { class: "plain warn" }, sentences.map((each) => h("li", null, each))) : null;
}

function nothing() {
  return emptyState("No model here yet", "A model is a name with versions, of which one is the champion. A sweep registers its winner, and a gate decides whether it becomes the champion. Register one by hand:", codeBlock("podium register NAME RUN"));
}

function table(models, context) {
  const heads = [{ name: "model", plain: true }, { name: "versions", kind: "n" }, { name: "champion" }, { name: "by" }, { name: "value", kind: "n" }, { name: "since" }, { name: "last verdict" }];
  return h("div", { class: "grid-box" }, stackedTable("models-table", "Models", heads, models.map((model) => row(model, context))));
}

function row(model, context) {
  const { champion, last_verdict: verdict } = model;
  const objective = champion?.objective ?? {};
  return h("tr", null,
    h("th", { scope: "row", class: "whole" }, h("a", { href: context.link("model", model.name) }, model.name)),
    h("td", { class: "n" }, model.versions),
    h("td", { class: "whole" }, champion ? [`v${champion.version} · `, champion.origin ? champion.run : h("a", { href: context.link("run", champion.run) }, champion.run)] : h("span", { class: "hint" }, "none")),
    h("td", { class: "whole" }, objective.metric ? `${objective.metric}${objective.mode === "min" ? " ↓" : " ↑"}` : ""),
    h("td", { class: "n strong" }, shown(objective.value)),
    h("td", { class: "whole" }, timeShown(champion?.since)),
    h("td", { class: "wide" }, verdict ? [badge(verdict.promote), " ", h("a", { href: context.link("model", model.name, { version: verdict.version }) }, `v${verdict.version}`), `: ${verdict.reasons[0] ?? ""}`] : ""));
}
