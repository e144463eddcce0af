/** A small table of sentences and figures. On a narrow screen each row is a block: its cells follow each other, each with the name of its column. */

import { h } from "./dom.js";

/**
 * Return a table. `heads`: `{name, kind, says, plain}` of each column: `kind` is a class of the head, `says` its hint, and a `plain` cell
 * needs no name in front of it. `rows` are elements of `tr`, with a cell for each head.
 */
export function stackedTable(kind, caption, heads, rows) {
  for (const row of rows) {
    heads.forEach(({ name, plain }, place) => {
      if (!plain) row.children[place].dataset.name = name;
    });
  }
  return h("table", { class: `grid stacked ${kind}` }, h("caption", { class: "offscreen" }, caption),
    h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col", class: head.kind ?? null, title: head.says ?? null }, head.name)))),
    h("tbody", null, rows));
}
