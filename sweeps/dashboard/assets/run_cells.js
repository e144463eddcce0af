/** Cells of the table of runs: a row is a run, or runs that differ in their seeds alone. */

import { described } from "./described.js";
import { columnDecimals, durationShown, shown, statusShown, text, timeShown } from "./format.js";

const LONG = 40; // characters from which a text is there in full on hover

/** Return the description of what a cell shows. `link` makes addresses; `decimals` are those of the column, as `columnDecimals` tells. */
export function runCell(row, column, { link, decimals }) {
  if (column.name === "run_id") return names(row, link);
  const value = row.value(column.place);
  if (value === null || value === undefined) return "";
  const cell = valueCell(value, column, link, decimals);
  const [counted, all] = [value.n ?? 1, row.members.length];
  const isPart = counted < all && (column.kind === "metric" || column.name === "duration_s");
  return isPart ? [cell, described("span", { class: "quiet-text", title: `Of ${all} runs, those that completed and have it count: ${counted}` }, ` ${counted} of ${all}`)] : cell;
}

/** Return the decimals of each column for these rows, as `columnDecimals` tells; null for what is no metric: a parameter may have been swept on a logarithmic scale. */
export function decimalsOf(columns, rows) {
  return columns.map((column) => (column.kind === "metric" ? columnDecimals(rows.map((row) => row.value(column.place)).filter((value) => value !== null)) : null));
}

function names(row, link) {
  const more = row.members.length - 1;
  const first = described("a", { href: link("run", row.id), tabIndex: -1 }, row.id);
  return more ? [first, described("span", { class: "quiet-text", title: row.members.join(", ") }, ` +${more}`)] : first;
}

function valueCell(value, column, link, decimals) {
  if (column.kind === "run" && typeof value !== "object") {
    if (column.name === "status") return statusShown(value, described);
    if (column.name === "created_at" || column.name === "finished_at") return timeShown(value, described);
    if (column.name === "duration_s") return durationShown(value, described);
    if (column.name === "sweep") return described("a", { href: link("sweep", value), tabIndex: -1 }, value);
  }
  if (column.name === "duration_s" && typeof value === "object") return durationShown(value.mean, described);
  return typeof value === "string" ? described("span", { title: value.length > LONG ? value : null }, text(value)) : shown(value, decimals, described);
}
