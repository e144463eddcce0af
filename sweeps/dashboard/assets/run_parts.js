/** Parts of the page of a run: its parameters, metrics, pictures and files, data, and where it came from. Each returns nodes, or null when there is nothing to say. */

import { h, put } from "./dom.js";
import { apiAddress, getJson, pathOf } from "./api.js";
import { button, codeBlock, copyButton, searchField } from "./controls.js";
import { bytes, counted, exact, grouped, number, shown, text, timeShown } from "./format.js";

const FEW = 24; // rows that need no field to look for one
const LISTED = 300; // rows drawn at first
const LONG = 160;
const MORE_FILES = 500;
const AGAIN = { identical: "identical", within_noise: "within the noise of other seeds", different: "different" };

/** Return a table of names and values; of many, one can look for some. `rows`: [[name, value], ..]. */
export function valuesTable(rows, label) {
  const body = h("tbody", null);
  const draw = (words, most) => {
    const asked = words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = asked.length ? rows.filter(([name, value]) => asked.every((word) => `${name} ${text(value)}`.toLowerCase().includes(word))) : rows;
    put(
      body,
      found.slice(0, most).map(([name, value]) => h("tr", null, h("th", { scope: "row", title: name }, name), h("td", null, valueShown(value)))),
      found.length > most ? h("tr", null, h("td", { colspan: 2 }, h("button", { type: "button", class: "button small", onclick: () => draw(words, Infinity) }, `Show all ${found.length}`))) : null,
      found.length ? null : h("tr", null, h("td", { colspan: 2, class: "quiet-text" }, "None")),
    );
  };
  draw("", LISTED);
  const table = h("div", { class: "grid-box limited", tabIndex: 0, role: "region", "aria-label": `Table of ${label.toLowerCase()}` }, h("table", { class: "grid pairs" }, h("caption", { class: "offscreen" }, label), body));
  return rows.length > FEW ? [searchField(`Look in ${rows.length} ${label.toLowerCase()}`, "", (words) => draw(words, LISTED)), table] : table;
}

/** Return the table of a run's metrics. */
export function metricsTable(metrics) {
  if (!metrics.length) return null;
  const body = h("tbody", null);
  const draw = (most) => {
    put(body, metrics.slice(0, most).map(metricLine), metrics.length > most ? h("tr", null, h("td", { colspan: 5 }, h("button", { type: "button", class: "button small", onclick: () => draw(Infinity) }, `Show all ${metrics.length}`))) : null);
  };
  draw(LISTED);
  return h(
    "div",
    { class: "grid-box limited", tabIndex: 0, role: "region", "aria-label": "Table of metrics" },
    h("table", { class: "grid" }, h("caption", { class: "offscreen" }, "Metrics"), h("thead", null, h("tr", null, ["metric", "last", "lowest", "highest", "points"].map((name, index) => h("th", { scope: "col", class: index ? "n" : null }, name)))), body),
  );
}

function metricLine(metric) {
  const step = (value) => (value === null || value === undefined ? null : h("span", { class: "at", title: `at step ${value}` }, ` @${number(value)}`));
  const cell = (value, at) => h("td", { class: "n" }, value === null || value === undefined ? "" : shown(value), at);
  const ends = metric.count === 1 ? [h("td", null), h("td", null)] : [cell(metric.min, step(metric.min_step)), cell(metric.max, step(metric.max_step))];
  const lost = metric.non_finite ? h("span", { class: "bad", title: `${metric.non_finite} were not finite` }, ` (${metric.non_finite} not finite)`) : null;
  return h("tr", null, h("th", { scope: "row", title: metric.name }, metric.name), cell(metric.last, null), ends, h("td", { class: "n" }, number(metric.count), lost));
}

/** Return the pictures among a run's files. */
export function pictures(run, context) {
  const found = run.files.filter((file) => file.image);
  if (!found.length) return null;
  return h(
    "div",
    { class: "pictures" },
    found.map((file) => {
      const address = apiAddress(context.api(pathOf("run", run.run_id, "file", file.path)), { show: 1, size: file.size });
      const frame = h("a", { href: address, target: "_blank", rel: "noopener" });
      const broken = () => put(frame, h("p", { class: "state" }, "This file is not a picture that can be shown."));
      put(frame, h("img", { src: address, alt: file.path, loading: "lazy", onerror: broken }));
      return h("figure", { class: "picture" }, frame, h("figcaption", { class: "hint" }, nameOf(file.path)));
    }),
  );
}

/** Return the list of a run's files, each to download. Of very many each folder has its first ones; `more` keeps those that one asks for. */
export function filesTable(run, context, more) {
  if (!run.files.length) return null;
  const place = h("div", { class: "section" });
  const draw = () => put(place, fileRows([...run.files, ...run.folders.flatMap(({ path }) => more.get(path) ?? [])], run, context), run.folders.map((folder) => restOf(folder, run, context, more, draw)));
  draw();
  return place;
}

function fileRows(files, run, context) {
  const address = (file) => apiAddress(context.api(pathOf("run", run.run_id, "file", file.path)));
  const line = (file) => h("tr", null, h("td", null, h("a", { href: address(file), download: nameOf(file.path) }, file.path)), h("td", { class: "n", title: `${file.size} bytes` }, bytes(file.size)));
  return h(
    "div",
    { class: "grid-box limited", tabIndex: 0, role: "region", "aria-label": "Table of files" },
    h("table", { class: "grid" }, h("caption", { class: "offscreen" }, "Files"), h("thead", null, h("tr", null, h("th", { scope: "col" }, "file"), h("th", { scope: "col", class: "n" }, "size"))), h("tbody", null, files.map(line))),
  );
}

// How many files of a folder are not listed, and a way to list some of them.
function restOf(folder, run, context, more, draw) {
  const known = more.get(folder.path) ?? [];
  const left = folder.left_out - known.length;
  if (left <= 0) return null;
  const ask = async () => {
    const query = { folder: folder.path, offset: folder.shown + known.length, most: Math.min(left, MORE_FILES) };
    const { files } = await getJson(context.api(pathOf("run", run.run_id, "files")), query);
    more.set(folder.path, [...known, ...files]);
    draw();
  };
  return h("p", { class: "hint" }, `${counted(left, "more file", "more files")} in ${folder.path || run.run_id} `, button(`Show ${grouped(Math.min(left, MORE_FILES))} more`, () => ask().catch(() => {}), { kind: "small" })); // the banner says that the server is gone
}

/** Return the error of a run that failed: what it is in one line, and the traceback below. */
export function errorPart({ error, error_line: line }) {
  if (!error) return null;
  const lines = error.trimEnd().split("\n");
  return h("div", { class: "card failure", role: "alert" }, h("h2", { class: "bad" }, line || lines[lines.length - 1] || "The run failed"), lines.length > 1 ? h("pre", { class: "block", tabIndex: 0 }, error) : null, copyButton(error, "Copy the error"));
}

/** Return what is known of the data: a list of facts. */
export function dataFacts(data) {
  if (!data) return null;
  const plain = Object.entries(data).filter(([, value]) => typeof value !== "object" || value === null);
  const deep = Object.entries(data).filter(([, value]) => typeof value === "object" && value !== null);
  return h("dl", { class: "facts" }, [...plain, ...deep].map(([name, value]) => [h("dt", null, name.replaceAll("_", " ")), h("dd", { class: name === "fingerprint" ? "mono" : null }, valueShown(value))]));
}

/** Return the table of columns that the trainer found in the data (the artifact data.json). */
export function columnsTable(profile) {
  const columns = Array.isArray(profile?.columns) ? profile.columns : [];
  if (!columns.length) return null;
  const share = (value) => (typeof value === "number" ? h("span", { title: String(value) }, value === 0 ? "0" : `${number(value * 100, 3)} %`) : text(value));
  return h(
    "div",
    { class: "grid-box limited", tabIndex: 0, role: "region", "aria-label": "Columns of the data" },
    h(
      "table",
      { class: "grid" },
      h("caption", { class: "offscreen" }, "Columns of the data"),
      h("thead", null, h("tr", null, ["column", "role", "kind"].map((name) => h("th", { scope: "col" }, name)), ["missing", "distinct"].map((name) => h("th", { scope: "col", class: "n" }, name)), h("th", { scope: "col" }, "why"))),
      h("tbody", null, columns.slice(0, 2000).map((column) => h("tr", null, h("th", { scope: "row" }, text(column.name)), h("td", null, text(column.role)), h("td", null, text(column.kind)), h("td", { class: "n" }, share(column.missing)), h("td", { class: "n" }, text(column.distinct)), h("td", null, text(column.reason), Array.isArray(column.warnings) && column.warnings.length ? h("span", { class: "warn" }, ` ${column.warnings.map(text).join("; ")}`) : null)))),
    ),
  );
}

/** Return where the code came from: commit, branch, changes that were not committed. */
export function codePart(run) {
  const { git, patch } = run;
  if (!git && !patch) return null;
  const changed = (git?.changed_count ?? git?.changed?.length ?? 0) + (git?.untracked_count ?? git?.untracked?.length ?? 0);
  const notKept = git?.why_not?.length > 0;
  const facts = git
    ? [
        git.root ? ["commit", git.commit ? h("span", { class: "mono" }, git.commit, " ", copyButton(git.commit)) : "none"] : null, // without a root there is no repository
        git.commit || git.branch ? ["branch", git.branch ?? "detached"] : null,
        git.commit ? ["changes", git.dirty ? `${counted(changed, "file")} differed from the commit` : notKept ? "none" : "none: the code is the commit"] : null,
        git.remote ? ["remote", git.remote] : null,
        notKept ? ["not kept", git.why_not.map(text).join("; ")] : null,
      ].filter(Boolean)
    : [];
  return [h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", null, name), h("dd", null, value)])), patch ? h("details", null, h("summary", null, "Changes that were not committed"), diff(patch)) : null];
}

/** Return where a run ran: machine, Python, command, packages. */
export function environmentPart(environment) {
  if (!environment) return null;
  const command = Array.isArray(environment.argv) ? environment.argv : environment.command;
  const facts = [
    ["host", environment.host],
    ["Python", [environment.implementation, environment.python].filter(Boolean).join(" ")],
    ["system", environment.platform],
    ["processor", environment.cpu && `${environment.cpu}, ${environment.cpus_usable ?? environment.cpus ?? "?"} usable`],
    ["memory", environment.memory_bytes && bytes(environment.memory_bytes)],
    ["GPUs", Array.isArray(environment.gpus) && environment.gpus.length ? environment.gpus.map((gpu) => (typeof gpu === "object" ? gpu.name ?? text(gpu) : text(gpu))).join(", ") : null],
    ["folder", environment.cwd],
    ["seeds", environment.seeds && Object.keys(environment.seeds).length ? text(environment.seeds) : null],
  ].filter(([, value]) => value);
  const packages = Object.entries(environment.packages || {});
  return [
    h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", null, name), h("dd", null, text(value))])),
    Array.isArray(command) ? codeBlock(command.map((word) => quotedWord(String(word))).join(" ")) : null,
    packages.length ? h("details", null, h("summary", null, counted(packages.length, "package")), valuesTable(packages, "Packages")) : null,
  ];
}

/** Return the config a run had, and what was given on its command line. */
export function configPart(run) {
  if (!run.config && !run.overrides) return null;
  return [run.overrides?.length ? codeBlock(run.overrides.join("\n")) : null, run.config ? h("details", null, h("summary", null, "The whole config"), codeBlock(run.config)) : null];
}

/** Return what making a run again has shown: the outcome, its sentence, and the run that was made. */
export function rerunWords(rerun, context) {
  const isLike = rerun.verdict !== "different";
  return [h("span", { class: isLike ? "good" : "bad" }, `${isLike ? "✓" : "✗"} ${AGAIN[rerun.verdict] ?? text(rerun.verdict)}`), `: ${text(rerun.sentence)} `, rerun.new_run ? ["(", h("a", { href: context.link("run", rerun.new_run) }, rerun.new_run), ", ", timeShown(rerun.at), ")"] : null];
}

/** Return the models that a run's files became. */
export function modelTags(run, context) {
  return run.models.map((model) => h("a", { class: "tag accent", href: context.link("model", model.name) }, `${model.name} v${model.version}${model.aliases?.length ? ` · ${model.aliases.join(", ")}` : ""}`));
}

/** Return the table of other things a run is tagged with. */
export function tagList(tags) {
  const entries = Object.entries(tags);
  return entries.length ? h("div", { class: "tags" }, entries.map(([name, value]) => h("span", { class: "tag", title: `${name}: ${exact(value)}` }, `${name}: ${text(value)}`))) : null;
}

/** Return a time as a tile's text. */
export function timeTile(iso) {
  return iso ? timeShown(iso) : "–";
}

function valueShown(value) {
  const words = text(value);
  return words.length > LONG ? h("details", { class: "long" }, h("summary", null, `${words.slice(0, LONG)}…`), exact(value)) : value === null || value === undefined ? h("span", { class: "quiet-text" }, "none") : shown(value);
}

function diff(patch) {
  const kinds = { "+": "added", "-": "removed", "@": "place" };
  return h("pre", { class: "block diff", tabIndex: 0 }, patch.split("\n").map((line) => h("span", { class: /^(\+\+\+|---|diff |index )/.test(line) ? "place" : kinds[line[0]] || null }, `${line}\n`)));
}

function nameOf(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

function quotedWord(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
