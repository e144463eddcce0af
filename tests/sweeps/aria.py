"""Rules about what a screen reader has of a page."""

import re

CONTROLS = (
    "button|link|textbox|searchbox|combobox|listbox|checkbox|radio|slider|switch|spinbutton|tab|menuitem"
)
NAMELESS = re.compile(
    rf"^\s*- (?:{CONTROLS}|img|grid|table|region|navigation|dialog)(?: \[.*)?:?$", re.MULTILINE
)
# Returns what is wrong with a page: tables, heads and charts without words.
WRONG = """() => {
  const said = (element) => element && element.textContent.trim();
  const tables = [...document.querySelectorAll("main table")].filter((table) => !said(table.caption));
  const heads = [...document.querySelectorAll("main table thead th")].filter((head) => !head.scope);
  const charts = [...document.querySelectorAll("main .chart-stage, main .curve-plot")];
  const labels = charts.filter((chart) => (chart.getAttribute("aria-label") ?? "").length < 12);
  const closed = charts.filter((chart) => !chart.closest(".chart, .curve-chart").querySelector("details.chart-table > summary"));
  const wrong = { tables, heads, labels, closed };
  const h1 = document.querySelectorAll("h1").length;
  const all = Object.entries(wrong).flatMap(([rule, found]) => found.map((one) => `${rule}: ${one.outerHTML.slice(0, 120)}`));
  return h1 === 1 ? all : [...all, `${h1} headings of the first level`];
}"""
