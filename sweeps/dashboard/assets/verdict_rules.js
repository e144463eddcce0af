/** The rules of a verdict as a table: each with its values, and its gain as a bar against zero and what is asked. */

import { h, s } from "./dom.js";
import { bytes, grouped, number, shown } from "./format.js";
import { stackedTable } from "./stacked_table.js";

const TITLES = { superiority: "better", not_worse: "not worse", slice: "not worse", threshold: "reaches its threshold", rows: "rows enough", rerun: "can be made again" };
const [WIDE, HIGH, EDGE] = [150, 22, 6]; // px of a bar, and of the room at its ends
const MILLI = 1000;

/** Return the table of the rules, or null without any. Columns that no rule has a value for are left out. */
export function rulesTable(rules) {
  if (!rules.length) return null;
  const columns = COLUMNS.filter(({ has }) => rules.some(has));
  return h("div", { class: "grid-box", tabIndex: 0, role: "region", "aria-label": "Table of rules" },
    stackedTable("rules", "Rules of the gate", columns, rules.map((rule) => h("tr", null, columns.map(({ cell }) => cell(rule))))));
}

/** Return the value of a measure with its unit. */
export function measured(measure, value) {
  if (value === null || value === undefined) return "";
  if (measure?.startsWith("latency")) return `${number(value * MILLI, 3)} ms`;
  if (measure === "size") return value < 0 ? `−${bytes(-value)}` : bytes(value);
  return number(value);
}

/** Return what a gain must be above: a loss is allowed to guards. Null where nothing is asked of it. */
export function askedOf(rule) {
  if (rule.margin === null || rule.gain === null) return null;
  return rule.rule === "superiority" ? rule.margin : -rule.margin;
}

/** Return a gain as a bar: a dot, its interval, and lines at zero and at what is asked; null without a gain. */
export function intervalBar(rule) {
  const { gain, low, high } = rule;
  if (gain === null) return null;
  const asked = askedOf(rule);
  const known = [0, gain, low, high, asked].filter((value) => value !== null);
  const [from, to] = [Math.min(...known), Math.max(...known)];
  const at = (value) => (to > from ? EDGE + ((value - from) / (to - from)) * (WIDE - 2 * EDGE) : WIDE / 2);
  const line = (name, value) => s("line", { class: name, x1: at(value), x2: at(value), y1: 1, y2: HIGH - 1 });
  const open = low === null && high === null;
  return s("svg", { class: `interval ${rule.passes ? "is-good" : "is-bad"}`, viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, role: "img", "aria-label": intervalWords(rule) },
    s("title", null, intervalWords(rule)),
    line("interval-zero", 0), asked === null || asked === 0 ? null : line("interval-asked", asked),
    open ? null : s("line", { class: "interval-range", x1: at(low ?? from), x2: at(high ?? to), y1: HIGH / 2, y2: HIGH / 2 }),
    low === null ? null : s("line", { class: "interval-end", x1: at(low), x2: at(low), y1: HIGH / 2 - 4, y2: HIGH / 2 + 4 }),
    s("circle", { class: "interval-dot", cx: at(gain), cy: HIGH / 2, r: 4 }));
}

function intervalWords(rule) {
  const { measure, gain, low, high } = rule;
  const asked = askedOf(rule);
  const between = low === null || high === null ? "" : `, between ${measured(measure, low)} and ${measured(measure, high)}`;
  return `a gain of ${measured(measure, gain)}${between}${asked === null ? "" : `; more than ${measured(measure, asked)} is asked`}`;
}

function ruleCell(rule) {
  const where = rule.slice ? ` where ${rule.slice[0]} is ${rule.slice[1]}` : "";
  const measure = rule.measure ?? (rule.rule === "superiority" ? "the objective" : null);
  return h("th", { scope: "row", class: "rule" }, measure ? [h("strong", null, measure), " "] : null, `${TITLES[rule.rule] ?? rule.rule ?? "a rule without a name"}${where}`,
    rule.asked ? h("div", { class: "hint" }, `asked: ${rule.asked}`) : null);
}

function gainCell({ measure, gain, low, high }) {
  if (gain === null) return h("td", null, "");
  const sign = gain > 0 ? "+" : "";
  const range = low === null && high === null ? null : h("div", { class: "hint" }, low === high ? "exact" : `${low === null ? "?" : measured(measure, low)} to ${high === null ? "?" : measured(measure, high)}`);
  return h("td", { class: "n" }, `${sign}${measured(measure, gain)}`, range);
}

const chance = (name) => (rule) => h("td", { class: "n" }, rule[name] === null ? "" : shown(Number(rule[name].toPrecision(2))));
const COLUMNS = [
  { name: "passes", plain: true, has: () => true, cell: ({ passes }) => h("td", { class: `whole ${passes ? "good" : "bad"}` }, passes ? "✓ yes" : "✗ no") },
  { name: "rule", plain: true, has: () => true, cell: ruleCell },
  { name: "gain", kind: "n", has: (rule) => rule.gain !== null, cell: gainCell, says: "How much better the challenger is; below, where the true gain lies" },
  { name: "against 0 and what is asked", has: (rule) => rule.gain !== null, cell: (rule) => h("td", null, intervalBar(rule)), says: "The solid line is zero, the dashed one what is asked" },
  { name: "champion", kind: "n", has: (rule) => rule.champion !== null, cell: (rule) => h("td", { class: "n" }, measured(rule.measure, rule.champion)) },
  { name: "challenger", kind: "n", has: (rule) => rule.challenger !== null, cell: (rule) => h("td", { class: "n" }, measured(rule.measure, rule.challenger)) },
  { name: "p", kind: "n", has: (rule) => rule.p !== null, cell: chance("p"), says: "How often chance alone shows as much" },
  { name: "adjusted p", kind: "n", has: (rule) => rule.adjusted_p !== null, cell: chance("adjusted_p"), says: "p, as several guards are judged at once (Holm)" },
  { name: "level", kind: "n", has: (rule) => rule.level !== null, cell: ({ level }) => h("td", { class: "n" }, level === null ? "" : `${number(100 * level, 2)} %`), says: "How often chance alone may pass this rule" },
  { name: "rows", kind: "n", has: (rule) => rule.rows > 0, cell: ({ rows }) => h("td", { class: "n" }, rows > 0 ? grouped(rows) : "") },
];
