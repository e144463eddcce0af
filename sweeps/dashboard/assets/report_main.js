/** The report of a sweep: one page that asks nobody, from the facts that lie in it. */

import { add, h, put } from "./dom.js";
import { exactTime, statusShown } from "./format.js";
import { sweepSections } from "./sweep_sections.js";
import { startTheme, themeButton } from "./theme.js";

const SECTIONS = ["headline", "best", "curves", "parallel", "tradeoff", "importance", "slices", "search", "timeline", "failures", "leaderboard", "verdict", "swept", "repeat"];

const facts = JSON.parse(document.getElementById("facts").textContent);
const host = document.getElementById("report");

startTheme();
draw();

function draw() {
  document.title = `Sweep ${facts.sweep}`;
  const body = h("div", { class: "report-sections" });
  const made = facts.as_of ?? facts.ended_at;
  put(
    host,
    h("header", { class: "head" }, h("h1", null, `Sweep ${facts.sweep}`), statusShown(facts.state), h("div", { class: "end no-print" }, themeButton())),
    body,
    h("footer", { class: "hint" }, made ? `As of ${exactTime(made)}. ` : "",
      h("span", { class: "no-print" }, "This file is complete: it needs no network and no other file. Rest on a point to see its job and values; drag along an axis of the settings to pick jobs.")),
  );
  const sections = sweepSections(body, SECTIONS, facts, { hrefOf: () => null, live: false });
  add(host.querySelector(".head"), contents(sections.titles()));
  for (const each of document.querySelectorAll(".static")) each.remove();
  document.documentElement.dataset.ready = "report";
}

function contents(titles) {
  return h("nav", { class: "contents no-print", "aria-label": "Sections" }, titles.filter(([title]) => title).map(([title, node]) => h("button", { type: "button", class: "button quiet small", onclick: () => node.scrollIntoView() }, title)));
}
