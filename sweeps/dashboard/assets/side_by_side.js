/** Runs beside each other: a column for each run, a row for each parameter, metric and tag, with what differs marked. */

import { h, put } from "./dom.js";
import { isPaper, onPaper } from "./paper.js";
import { asNumber, columnDecimals, exact, shown, statusShown, text, timeShown } from "./format.js";

const LONG = 400; // rows drawn at first: a config may have thousands of keys
const METRICS = 8; // of very many: the parameters are what one came for
const MANY_METRICS = 12;
const ON_PAPER = 6; // runs that a page is wide enough for

/**
 * Draw a comparison (as the server gives it) into `host`. Options: `link(run)`: its address; `onlyDifferent`.
 * Returns {update(comparison, options), mark(run), destroy()}.
 */
export function sideBySide(host, comparison, options) {
  let now = comparison;
  let settings = { onlyDifferent: true, ...options };
  let whole = false;
  const box = h("div", { class: "grid-box side-by-side", tabIndex: 0, role: "region", "aria-label": "Runs side by side" });
  const draw = () => {
    const focused = box.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const all = table(now, settings, whole, () => {
      whole = true;
      draw();
    });
    put(box, isPaper() ? pages(all, now.runs.length) : all);
    if (focused) [...box.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus({ preventScroll: true });
  };
  put(host, box);
  draw();
  const stopPaper = onPaper(draw);
  return {
    destroy: stopPaper,
    update(next, changes = {}) {
      now = next;
      settings = { ...settings, ...changes };
      draw();
    },
    mark(run) {
      for (const cell of host.querySelectorAll("[data-run]")) cell.classList.toggle("near", cell.dataset.run === run);
    },
  };
}

/** Return tables of some runs each, as wide as paper, that together show all. */
function pages(all, runs) {
  return Array.from({ length: Math.ceil(runs / ON_PAPER) }, (_, page) => {
    const part = all.cloneNode(true);
    for (const row of part.rows) {
      [...row.cells].forEach((cell, place) => place && Math.floor((place - 1) / ON_PAPER) !== page && cell.remove());
      row.cells[0].colSpan = Math.min(row.cells[0].colSpan, ON_PAPER + 1);
    }
    return part;
  });
}

function table(comparison, settings, whole, showAll) {
  const { runs } = comparison;
  const kept = (rows) => (settings.onlyDifferent ? rows.filter((row) => row.differs) : rows);
  const params = kept(comparison.params);
  const tags = kept(comparison.tags);
  const cut = whole ? params : params.slice(0, LONG);
  const metrics = whole || comparison.metrics.length <= MANY_METRICS ? comparison.metrics : comparison.metrics.slice(0, METRICS);
  const same = comparison.params.length - comparison.params.filter((row) => row.differs).length;
  const wide = runs.length + 1;
  return h(
    "table",
    { class: "grid" },
    h("caption", { class: "offscreen" }, "Runs side by side"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "run"), runs.map((run) => h("th", { scope: "col", dataset: { run: run.run_id } }, h("a", { href: settings.link(run.run_id) }, run.run_id))))),
    h(
      "tbody",
      null,
      line("status", runs, (run) => statusShown(run.status)),
      line("created", runs, (run) => timeShown(run.created_at)),
      metricLines(metrics),
      metrics.length < comparison.metrics.length ? moreLine(`Show ${comparison.metrics.length - metrics.length} more metrics`, wide, showAll) : null,
      heading("Parameters", wide, settings.onlyDifferent && same ? `${same} more are the same in all` : null),
      cut.length ? cut.map((row) => valueLine(row)) : filler(params.length || comparison.params.length ? "All parameters are the same." : "No parameters were recorded.", wide),
      cut.length < params.length ? moreLine(`Show ${params.length - cut.length} more`, wide, showAll) : null,
      tags.length ? [heading("Tags", wide, null), tags.map((row) => valueLine(row))] : null,
    ),
  );
}

function heading(words, wide, hint) {
  return h("tr", { class: "part" }, h("th", { scope: "rowgroup", colspan: wide }, words, hint ? h("span", { class: "hint" }, ` · ${hint}`) : null));
}

function moreLine(words, wide, showAll) {
  return h("tr", null, h("td", { colspan: wide }, h("button", { type: "button", class: "button small", onclick: showAll }, words)));
}

function filler(words, wide) {
  return h("tr", null, h("td", { colspan: wide, class: "quiet-text" }, words));
}

function line(name, runs, cell) {
  return h("tr", null, h("th", { scope: "row" }, name), runs.map((run) => h("td", { dataset: { run: run.run_id } }, cell(run))));
}

// What most runs have is the rule; the others are marked.
function valueLine(row) {
  const count = new Map();
  for (const value of row.values) count.set(exact(value), (count.get(exact(value)) || 0) + 1);
  const most = Math.max(...count.values());
  const usual = row.differs && most > 1 ? [...count].find(([, n]) => n === most)[0] : null;
  const numeric = row.values.every((value) => value === null || value === undefined || asNumber(value) !== null);
  return h(
    "tr",
    null,
    h("th", { scope: "row", title: row.name }, row.name),
    row.values.map((value) => {
      const missing = value === null || value === undefined;
      const classes = [numeric ? "n" : "", row.differs && exact(value) !== usual ? "differs" : ""].join(" ").trim();
      return h("td", { class: classes || null }, missing ? h("span", { class: "quiet-text" }, "–") : cut(value));
    }),
  );
}

function cut(value) {
  const words = text(value);
  return words.length > 120 ? h("span", { title: exact(value) }, `${words.slice(0, 119)}…`) : shown(value);
}

function metricLines(metrics) {
  return metrics.flatMap((metric) => {
    const { mode } = metric;
    const [name, values] = mode === "max" ? [`${metric.name} (max)`, metric.max] : mode === "min" ? [`${metric.name} (min)`, metric.min] : [metric.name, metric.last];
    const decimals = columnDecimals(values);
    const numbers = values.map((value) => asNumber(value)).filter((value) => Number.isFinite(value));
    const best = mode && new Set(numbers).size > 1 ? (mode === "max" ? Math.max(...numbers) : Math.min(...numbers)) : null;
    return h(
      "tr",
      null,
      h("th", { scope: "row", title: name }, name),
      values.map((value) => h("td", { class: "n" }, value === null || value === undefined ? h("span", { class: "quiet-text" }, "–") : best !== null && asNumber(value) === best ? h("strong", { title: "the best of these" }, shown(value, decimals)) : shown(value, decimals))),
    );
  });
}
