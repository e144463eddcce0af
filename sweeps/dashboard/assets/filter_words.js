/** The words of the tracker's filter language: how a parameter, metric or tag is written in a filter, and what may stand at a place. */

export const RUN_FIELDS = ["run_id", "status", "experiment", "created_at", "finished_at", "duration_s", "description", "error", "sweep"];
export const METRIC_PARTS = ["min", "max", "best", "last_step", "min_step", "max_step", "count", "non_finite"];
const STATUSES = ["running", "completed", "failed", "killed", "interrupted", "pruned"];
const JOINING = ["and", "or", "not", "in", "contains", "is None", "is not None", "is nan", "ago(\"7d\")", "today", "yesterday"];
const RESERVED = new Set([...RUN_FIELDS, "experiment_name", "and", "or", "not", "in", "is", "AND", "OR", "NOT", "IN", "IS", "contains", "None", "null", "True", "true", "False", "false", "nan", "NaN", "inf", "Infinity", "today", "yesterday", "ago"]);
const PLAIN = /^[A-Za-z_](?:[\w./@:-]*\w)?$/;
const ROOT = /^(params|metrics|tags)(\.|$)/;
const PART = /\.(last|min|max|best|last_step|min_step|max_step|best_step|count|non_finite)$/;
const AT_END = /[\p{L}_][\p{L}\p{N}\p{M}_./@:-]*$/u;

/** Return a text as a filter writes it. */
export function quoted(text) {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Return all fields that filters and columns can name: [{name, label, group}]; `names` is what the server says about the store. */
export function fieldItems(names) {
  const count = new Map();
  for (const kind of ["params", "metrics", "tags"]) for (const name of names[kind]) count.set(name, (count.get(name) || 0) + 1);
  const items = RUN_FIELDS.map((name) => ({ name, label: name, group: "run" }));
  for (const name of names.metrics) {
    const written = nameOf("metrics", name, count);
    items.push({ name: written, label: name, group: "metric" });
    for (const part of ["min", "max"]) items.push({ name: `${written}.${part}`, label: `${name} (${part})`, group: "metric" });
  }
  for (const name of names.params) items.push({ name: nameOf("params", name, count), label: name, group: "parameter" });
  for (const name of names.tags) items.push({ name: nameOf("tags", name, count), label: name, group: "tag" });
  return items;
}

/** Return how a filter names a parameter ("params"), metric or tag: bare where that means only it. `count` says how many kinds know the name. */
export function nameOf(kind, name, count) {
  const plain = PLAIN.test(name);
  if (plain && !RESERVED.has(name) && !ROOT.test(name) && !PART.test(name) && count.get(name) === 1) return name;
  return plain && !PART.test(name) ? `${kind}.${name}` : `${kind}[${quoted(name)}]`;
}

/** Return what may be written at the end of `before`: {from, words: [{name, label, group}]}, at most `most`; names that begin alike come first. */
export function suggestions(before, items, most = 50) {
  const inText = openText(before);
  if (inText !== null) {
    const asked = /(?:^|[^\w.])status\s*(?:==|!=|in\s*\[[^\]]*|contains)\s*$/.test(before.slice(0, inText.at));
    const word = before.slice(inText.at + 1);
    const words = asked ? STATUSES.filter((one) => one.startsWith(word)).map((one) => ({ name: `${inText.mark}${one}${inText.mark}`, label: one, group: "status" })) : [];
    return { from: inText.at, words };
  }
  const word = AT_END.exec(before)?.[0] || "";
  const from = before.length - word.length;
  const status = /(?:^|[^\w.])status\s*(?:==|!=)\s*$/.test(before.slice(0, from));
  if (status) return { from, words: STATUSES.filter((one) => one.startsWith(word)).map((one) => ({ name: `'${one}'`, label: one, group: "status" })) };
  if (!word) return { from, words: [] };
  const small = word.toLowerCase();
  const found = [...items.filter((item) => item.name.toLowerCase().includes(small) || item.label.toLowerCase().includes(small)), ...partsOf(word, items), ...JOINING.filter((one) => one.startsWith(small)).map((one) => ({ name: one, label: one, group: "" }))];
  const rank = (item) => (item.name.toLowerCase().startsWith(small) ? 0 : 1);
  found.sort((one, other) => rank(one) - rank(other));
  return { from, words: found.filter((item) => item.name !== word).slice(0, most) };
}

// The rare parts of a metric, once its name and a dot are there.
function partsOf(word, items) {
  const dot = word.lastIndexOf(".");
  const metric = dot > 0 && items.some((item) => item.group === "metric" && item.name === word.slice(0, dot));
  return metric ? METRIC_PARTS.filter((part) => part.startsWith(word.slice(dot + 1)) && !["min", "max"].includes(part)).map((part) => ({ name: `${word.slice(0, dot)}.${part}`, label: `${word.slice(0, dot)}.${part}`, group: "metric" })) : [];
}

function openText(before) {
  let mark = null;
  let at = 0;
  for (let index = 0; index < before.length; index += 1) {
    const letter = before[index];
    if (mark) {
      if (letter === "\\") index += 1;
      else if (letter === mark) mark = null;
    } else if (letter === "'" || letter === '"') {
      mark = letter;
      at = index;
    }
  }
  return mark ? { mark, at } : null;
}
