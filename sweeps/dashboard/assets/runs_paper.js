/** The table of runs on paper: the first rows as a plain table, below what was asked for. */

import { h, put } from "./dom.js";
import { made } from "./described.js";
import { counted, grouped } from "./format.js";
import { decimalsOf, runCell } from "./run_cells.js";

export const MOST_ON_PAPER = 200; // rows, some six sheets

/** Put rows into `host`; `matching` are as many as there are. `options`: `columns`, `words`: what was asked for, `noun`: what a row is, `link`. */
export function runsOnPaper(host, rows, matching, { columns, words, noun, link }) {
  const decimals = decimalsOf(columns, rows);
  const more = matching - rows.length;
  const cell = (row, column, index) => [runCell(row, column, { link, decimals: decimals[index] })].flat().map(made);
  put(
    host,
    words.length ? h("p", { class: "hint" }, words) : null,
    h("table", { class: "grid" }, h("caption", { class: "offscreen" }, "Runs"),
      h("thead", null, h("tr", null, columns.map((column) => h("th", { scope: "col", class: column.numeric ? "n" : null }, breakable(column.label))))),
      h("tbody", null, rows.map((row) => h("tr", null, columns.map((column, index) => h(index ? "td" : "th", { class: column.numeric ? "n" : null, scope: index ? null : "row" }, cell(row, column, index))))))),
    more > 0 ? h("p", { class: "hint" }, `These are the first ${grouped(rows.length)} of ${counted(matching, noun)}; ${grouped(more)} more are not printed. A filter chooses others.`) : null,
  );
}

// A long name of several words may go on in the next line.
function breakable(words) {
  return words.split(/(?<=[_.])/).flatMap((word, index) => (index ? [h("wbr"), word] : [word]));
}
