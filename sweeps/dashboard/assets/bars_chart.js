/** What decides the result: a bar per setting, and in words how far it can be believed. */

import { h, put, style } from "./dom.js";
import { counted, number } from "./format.js";

const MOST = 15;

/**
 * Draw importance as `{jobs, share: {key: part}, r2, why, level}`, or say why nobody can tell yet.
 *
 * `options.names` maps keys to short names; `options.noun` is what a job is called (run). The bars are a table, so that a screen reader reads names and numbers.
 */
export function importanceChart(host, importance, options = {}) {
  const node = h("div", { class: "chart chart-bars" });
  host.replaceChildren(node);
  const show = (next) => put(node, ...content(next, options));
  show(importance);
  return { update: show, destroy: () => node.remove() };
}

/** Return what a forest's R2 says, in words. */
export function trustOf(r2, noun = "job") {
  const value = number(r2, 2);
  if (r2 >= 0.8) return `Trust it: a forest of decision trees predicts the order of ${noun}s it has not seen well (R² ${value}; 1 is perfect).`;
  if (r2 >= 0.5) return `Trust the first: a forest of decision trees predicts the order of ${noun}s it has not seen fairly (R² ${value}; 1 is perfect).`;
  return `Take it as a hint: a forest of decision trees explains a part of the order of ${noun}s it has not seen (R² ${value}; 1 is perfect).`;
}

function content(importance, options) {
  const shares = Object.entries(importance?.share ?? {}).sort((a, b) => b[1] - a[1]);
  if (!importance || !shares.length) {
    const why = importance?.why ?? "it has not been computed";
    return [h("p", { class: "cannot-tell" }, h("strong", null, "Cannot tell yet: "), `${why}.`)];
  }
  const noun = options.noun ?? "job";
  const most = Math.max(...shares.map(([, part]) => part), 1e-9);
  const rows = shares.slice(0, MOST).map(([key, part]) => bar(options.names?.[key] ?? key, key, part, most));
  const taken = `From ${counted(importance.jobs, noun)}${importance.level ? `, each after ${importance.level} values` : ""}.`;
  const left = shares.length - rows.length;
  return [
    h("table", { class: "bars" }, h("caption", { class: "offscreen" }, "Share of each setting in what decides the result"), h("tbody", null, rows)),
    h("p", { class: "chart-note" }, trustOf(importance.r2, noun), " ", taken, left > 0 ? ` ${counted(left, "setting")} with less left out.` : ""),
  ];
}

function bar(name, key, part, most) {
  const length = style(h("span", { class: "bar-length" }), { width: `${Math.max(0.4, (100 * part) / most)}%` });
  const percent = part > 0 && part < 0.001 ? "< 0.1 %" : part < 0.0995 ? `${number(part * 100, 2)} %` : `${Math.round(part * 100)} %`;
  return h("tr", null, h("th", { scope: "row", title: key }, name), h("td", { class: "bar-cell" }, length), h("td", { class: "num", title: String(part) }, percent));
}
