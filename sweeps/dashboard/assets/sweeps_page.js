/** All sweeps of a store, the newest first, live. */

import { h, put, putAnew } from "./dom.js";
import { getJson } from "./api.js";
import { button, codeBlock } from "./controls.js";
import { counted, duration, grouped, shown, statusShown, timeShown } from "./format.js";
import { watch } from "./live.js";
import { everySeen, refetching } from "./refetch.js";
import { emptyState, loaded } from "./states.js";
import { progressBar } from "./sweep_summary.js";

const FIRST = 100;
const AGAIN_MS = 5000; // for the time left of sweeps that run

/** Show the page; return `{leave()}`. */
export function show(host, address, context) {
  const state = { all: false, sweeps: [] };
  const body = h("div", { class: "section" });
  put(host, h("div", { class: "head" }, h("h1", { tabIndex: -1 }, "Sweeps")), body);
  context.title("Sweeps");
  const load = (signal) => getJson(context.api("sweeps"), {}, signal);
  const draw = ({ sweeps }) => {
    state.sweeps = sweeps;
    putAnew(body, sweeps.length ? list(state, context, () => draw({ sweeps: state.sweeps })) : nothing());
    context.ready("sweeps");
  };
  const first = loaded(body, load, draw);
  const again = refetching(load, draw);
  const stopWatch = watch({ store: context.store, sweeps: true }, { sweeps: again.ask });
  const stopTimer = everySeen(AGAIN_MS, () => state.sweeps.some((sweep) => sweep.state === "running") && again.ask());
  return {
    leave() {
      first.stop();
      again.stop();
      stopWatch();
      stopTimer();
    },
  };
}

function nothing() {
  return emptyState("No sweep here yet", "A sweep runs a program once for each of many settings and ranks what comes out. Start one, and it appears here:", codeBlock("python -m trainer -m training.learning_rate=1e-4,1e-3,1e-2"));
}

function list(state, context, draw) {
  const seen = state.all ? state.sweeps : state.sweeps.slice(0, FIRST);
  const heads = [["sweep"], ["state"], ["best", "n"], ["left", "n"], ["by"], ["progress"], ["run"], ["began"]];
  return [
    h("div", { class: "grid-box" }, h("table", { class: "grid sweeps-table" }, h("caption", { class: "offscreen" }, "Sweeps, the newest first"),
      h("thead", null, h("tr", null, heads.map(([name, kind]) => h("th", { class: kind ?? null, scope: "col" }, name)))),
      h("tbody", null, seen.map((sweep) => row(sweep, context))))),
    seen.length < state.sweeps.length ? h("p", { class: "hint" }, `The newest ${seen.length} of ${counted(state.sweeps.length, "sweep")}. `, button(`Show all ${grouped(state.sweeps.length)}`, () => {
      state.all = true;
      draw();
    })) : null,
  ];
}

function row(sweep, context) {
  const name = h("th", { scope: "row", class: "whole" }, h("a", { href: context.link("sweep", sweep.sweep) }, sweep.sweep));
  if (sweep.error) return h("tr", null, name, h("td", { class: "bad", colspan: 7 }, `This sweep cannot be read: ${sweep.error}`));
  const facts = { counts: sweep.counts, jobs: { job: Array.from({ length: sweep.jobs }) }, n_trials: sweep.n_trials, state: sweep.state };
  return h("tr", null,
    name,
    h("td", null, statusShown(sweep.state)),
    h("td", { class: "n strong" }, shown(sweep.best)),
    h("td", { class: "n" }, sweep.state !== "running" ? "" : sweep.eta_s === null ? h("span", { class: "hint" }, "not known") : duration(sweep.eta_s)),
    h("td", { class: "whole" }, sweep.metric ? `${sweep.metric}${sweep.mode === "min" ? " ↓" : " ↑"}` : ""),
    h("td", { class: "sweeps-progress" }, progressBar(facts)),
    h("td", { class: "whole" }, sweep.run ? h("a", { href: context.link("run", sweep.run) }, sweep.run) : ""),
    h("td", { class: "whole" }, timeShown(sweep.created_at)));
}
