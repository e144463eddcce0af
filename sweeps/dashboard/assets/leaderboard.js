/** The jobs of a sweep in their order, as a table that grows with the sweep or as a plain one for paper. */

import { h, put } from "./dom.js";
import { described } from "./described.js";
import { button } from "./controls.js";
import { columnDecimals, counted, durationShown, shown, text } from "./format.js";
import { onPaper } from "./paper.js";
import { virtualTable } from "./table.js";
import { toNumber } from "./axis.js";
import { objectiveName, shortName, statusWord } from "./sweep_reading.js";
import { STATUS_COLOURS } from "./timeline_chart.js";

const FIRST = 50; // rows of a plain table before all are asked for
const ROW = 28;
const ON_PAPER = 3; // further metrics that paper has room for
const MOST_ROWS = 16; // of the height of a living table

/**
 * Put the leaderboard into `host`. With `context.live` only rows in view are drawn; else it is a plain table.
 *
 * Returns `{update(facts), pick(indices|null)}`: `pick` shows these jobs alone.
 */
export function leaderboard(host, facts, context) {
  return context.live ? livingBoard(host, facts, context) : plainBoard(host, facts, context);
}

/** Return the columns of the table: `{name, label, title, numeric, screen, at(index), cell(index)}`; one for the `screen` alone is left out on paper. Cells are made by `make`: `h`, or `described` for a table that is drawn anew by its differences. */
export function columnsOf(facts, context, make = h) {
  const { jobs } = facts;
  const column = (name, label, values, options = {}) => {
    const decimals = options.numeric === false || options.swept ? null : columnDecimals(values);
    return made(name, label, values, { cell: (index) => shown(values[index], decimals, make), ...options });
  };
  const made = (name, label, values, options) => ({
    name, label, title: options.title ?? label, numeric: options.numeric ?? values.every((value) => value === null || value === undefined || toNumber(value) !== undefined),
    at: (index) => values[index], screen: options.screen, cell: options.cell, width: options.width,
  });
  const some = (values) => values?.some((value) => value !== null && value !== undefined && value !== "");
  const notes = jobs.job.map((_, index) => jobs.error?.[index] ?? jobs.note?.[index] ?? null);
  return [
    column("rank", "#", jobs.rank, { title: "Rank: 1 is the best", width: 56 }),
    column("job", "job", jobs.job, { width: 64 }),
    some(jobs.run) && column("run", "run", jobs.run, { cell: (index) => runLink(jobs.run[index], context, make) }),
    column("status", "status", jobs.status, { numeric: false, cell: (index) => statusOf(facts, jobs.status[index], make) }),
    ...facts.objectives.map((objective, place) => column(`value ${place}`, objectiveName(objective), jobs.values[place], { numeric: true, title: `${objectiveName(objective)}, ${objective.mode === "max" ? "higher" : "lower"} is better` })),
    ...facts.swept.map((key) => column(`key ${key}`, shortName(facts, key), jobs.point[key], { title: key, swept: true })),
    ...Object.entries(jobs.metrics ?? {}).map(([name, values], place) => column(`metric ${name}`, name, values, { numeric: true, screen: place >= ON_PAPER })),
    some(jobs.epochs) && column("epochs", "epochs", jobs.epochs, { numeric: true }),
    column("duration", "took", jobs.duration_s, { numeric: true, cell: (index) => durationShown(jobs.duration_s[index], make) }),
    some(notes) && column("note", "note", notes, { numeric: false, cell: (index) => make("span", { title: notes[index] }, notes[index] ?? "") }),
  ].filter(Boolean);
}

/** Return a link to a run where there is a place to link to, else its name. */
export function runLink(run, context, make = h) {
  const href = run ? context.hrefOf(run) : null;
  return href ? make("a", { href }, run) : make("span", null, run ?? "");
}

/** Return the status of a job with its dot. */
export function statusOf(facts, status, make = h) {
  const dot = make("i", { class: "dot", "aria-hidden": "true", style: { background: `var(${STATUS_COLOURS[status] ?? "--quiet"})`, border: "0" } });
  return make("span", { class: "status" }, dot, statusWord(facts, status));
}

function sorted(columns, sort, rows) {
  const keys = sort.map(({ name, down }) => [columns.find((column) => column.name === name), down]).filter(([column]) => column);
  if (!keys.length) return rows;
  return rows.toSorted((a, b) => {
    for (const [column, down] of keys) {
      const order = compare(column.at(a), column.at(b), down);
      if (order) return order;
    }
    return 0;
  });
}

/** Compare two values; what has no value, or none that counts, comes last either way. */
function compare(a, b, down) {
  const [first, second] = [a, b].map((value) => toNumber(value));
  const lacks = [a, b].map((value, index) => value === null || value === undefined || Number.isNaN([first, second][index]));
  if (lacks[0] || lacks[1]) return lacks[0] - lacks[1];
  const order = first !== undefined && second !== undefined ? Math.sign(first - second) : text(a).localeCompare(text(b), "en", { numeric: true });
  return down ? -order : order;
}

function livingBoard(host, given, context) {
  const state = { facts: given, columns: columnsOf(given, context, described), sort: [], picked: null, rows: [] };
  const words = h("p", { class: "hint" });
  const place = h("div", { class: "leaderboard" });
  const paper = h("div", null);
  put(host, words, place, paper);
  const table = virtualTable(place, {
    label: "Leaderboard",
    columns: state.columns,
    total: 0,
    rowAt: (index) => state.rows[index],
    key: (row) => String(row.job),
    cell: (row, column) => state.columns.find((each) => each.name === column.name).cell(row.index),
    open: (row) => {
      const href = state.facts.jobs.run[row.index] && context.hrefOf(state.facts.jobs.run[row.index]);
      if (href) location.hash = href;
    },
    onsort: (sort) => {
      state.sort = sort;
      draw();
    },
    sort: state.sort,
  });
  const draw = () => {
    const { facts } = state;
    const all = state.picked ?? facts.jobs.job.map((_, index) => index);
    state.rows = sorted(state.columns, state.sort, all).map((index) => ({ index, job: facts.jobs.job[index] }));
    words.textContent = state.picked ? `${counted(state.rows.length, "picked job")} of ${facts.jobs.job.length}, as the ranges in the settings say.` : "";
    words.hidden = !state.picked;
    place.style.height = `${Math.min(MOST_ROWS, Math.max(1, state.rows.length)) * ROW + 34 + 14}px`;
    table.update({ total: state.rows.length, columns: state.columns, sort: state.sort });
  };
  // The rows that are drawn for the screen are those in view.
  const stopPaper = onPaper((on) => {
    place.hidden = on;
    put(paper);
    if (on) plainBoard(paper, state.facts, context).pick(state.rows.map((row) => row.index));
  });
  draw();
  return {
    update(facts) {
      if (state.picked) {
        const jobs = new Set(state.picked.map((index) => state.facts.jobs.job[index]));
        state.picked = facts.jobs.job.map((_, index) => index).filter((index) => jobs.has(facts.jobs.job[index])); // until the chart tells anew
      }
      state.facts = facts;
      state.columns = columnsOf(facts, context, described);
      draw();
    },
    pick(indices) {
      state.picked = indices;
      draw();
    },
    destroy() {
      stopPaper();
      table.destroy();
    },
  };
}

function classOf(column) {
  return `${column.numeric ? "n" : ""}${column.screen ? " no-print" : ""}`;
}

function plainBoard(host, given, context) {
  const state = { facts: given, all: false, picked: null };
  const draw = () => {
    const { facts } = state;
    const columns = columnsOf(facts, context);
    const rows = state.picked ?? facts.jobs.job.map((_, index) => index);
    const seen = state.all ? rows : rows.slice(0, FIRST);
    const more = rows.length - seen.length;
    put(
      host,
      h("div", { class: "grid-box", tabIndex: 0, role: "region", "aria-label": "Leaderboard" },
        h("table", { class: "grid leaderboard-table" }, h("caption", { class: "offscreen" }, "Jobs, the best first"),
          h("thead", null, h("tr", null, columns.map((column) => h("th", { class: classOf(column), scope: "col", title: column.title }, column.label)))),
          h("tbody", null, seen.map((index) => h("tr", { class: facts.jobs.rank[index] === 1 ? "is-winner" : null }, columns.map((column) => h("td", { class: classOf(column) }, column.cell(index)))))))),
      more > 0 ? h("p", { class: "hint no-print" }, `The first ${seen.length} of ${counted(rows.length, "job")}. `, button(`Show all ${rows.length}`, () => {
        state.all = true;
        draw();
      })) : null,
    );
  };
  draw();
  return {
    update(facts) {
      state.facts = facts;
      draw();
    },
    pick(indices) {
      state.picked = indices;
      draw();
    },
    destroy() {},
  };
}
