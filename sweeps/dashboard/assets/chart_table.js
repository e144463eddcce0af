/** What a chart shows as a table: for those who cannot see it, or want the numbers. It is made when it is opened. */

import { h, put } from "./dom.js";
import { grouped } from "./format.js";

const MOST = 500; // rows

/** Return `{node, refresh()}`: a part to open, whose table is `read()`: `{caption, heads, rows}`, rows of texts of which the first names the row. */
export function chartTable(read) {
  const place = h("div", null);
  const refresh = () => {
    if (node.open) put(place, table(read()));
  };
  const node = h("details", { class: "chart-table no-print", ontoggle: refresh }, h("summary", null, "As a table"), place);
  return { node, refresh };
}

function table({ caption, heads, rows }) {
  const line = ([name, ...cells]) => h("tr", null, h("th", { scope: "row" }, name), cells.map((cell) => h("td", null, cell)));
  return [
    h("div", { class: "grid-box limited", tabIndex: 0, role: "region", "aria-label": "Values of the chart" },
      h("table", { class: "grid" }, h("caption", { class: "offscreen" }, caption),
        h("thead", null, h("tr", null, heads.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", null, rows.slice(0, MOST).map(line)))),
    rows.length > MOST ? h("p", { class: "hint" }, `The first ${MOST} of ${grouped(rows.length)}.`) : null,
  ];
}
