/**
 * What the server tells while a page is open. The whole page has one stream: browsers allow few connections to a server.
 * The stream's ids hold the place in every journal, so after a pause it goes on exactly where it was.
 */

import { reportServer } from "./api.js";

const AGAIN_MS = 1000;
const REST_MS = 5000; // after so long out of sight a page gives its connection back: browsers allow six to a server, in all tabs together
const MOST_STREAMS = 4; // pages of this browser that are live at a time: two connections are left for questions
const EVENTS = ["points", "run", "output", "table", "sweep", "sweeps", "gone"];
const watchers = new Set();
const cursors = { runs: {}, output: {} };
let source = null;
let openedFor = "";
let timer = 0;
let resting = false;
let rest = 0;

// The other pages of this browser that have a stream, and when each was last looked at.
const me = Math.random().toString(36).slice(2);
const others = new Map();
let seen = Date.now();
const channel = new BroadcastChannel("podium-live");

channel.onmessage = ({ data }) => {
  if (data.seen) others.set(data.id, data.seen);
  else others.delete(data.id);
  const later = [...others].filter(([id, when]) => when > seen || (when === seen && id > me));
  if (source && later.length >= MOST_STREAMS) close();
};

document.addEventListener("visibilitychange", () => {
  clearTimeout(rest);
  if (document.hidden) rest = setTimeout(close, REST_MS);
  else looked();
});
addEventListener("pagehide", close);
addEventListener("pageshow", wake);
for (const sign of ["focus", "pointerdown", "keydown"]) addEventListener(sign, looked, { capture: true });

/**
 * Watch something until the returned function is called. `what`: {store, table, runs: {ID: cursor}, output: {ID: offset}, sweeps, sweep}.
 * `handlers` by kind of event: `points`, `run`, `output`, `table`, `sweep`, `sweeps`, `gone`, each called with the event's data.
 * One watcher follows a run at a time: the cursor of the last one counts.
 */
export function watch(what, handlers) {
  const watcher = { what, handlers };
  watchers.add(watcher);
  for (const kind of ["runs", "output"]) Object.assign(cursors[kind], what[kind] || {});
  plan();
  return () => {
    watchers.delete(watcher);
    plan();
  };
}

function plan() {
  clearTimeout(timer);
  timer = setTimeout(reopen, 0); // a page adds and drops several in one go
}

// All that is watched, without the places where reading goes on.
function wanted() {
  const all = { store: 0, runs: [], output: [] };
  for (const { what } of watchers) {
    if (what.store !== undefined) all.store = what.store;
    all.runs.push(...Object.keys(what.runs || {}));
    all.output.push(...Object.keys(what.output || {}));
    for (const name of ["table", "sweeps", "sweep"]) if (what[name]) all[name] = what[name];
  }
  all.runs = [...new Set(all.runs)].sort();
  all.output = [...new Set(all.output)].sort();
  return all;
}

function close() {
  resting = true;
  source?.close();
  source = null;
  channel.postMessage({ id: me, seen: 0 });
  showRest();
}

function wake() {
  if (!resting) return;
  resting = false;
  showRest();
  reopen();
}

// A page that one uses is live; the one that was looked at longest ago gives its connection to it.
function looked() {
  if (document.hidden) return;
  const isNews = resting || Date.now() - seen > AGAIN_MS;
  seen = Date.now();
  wake();
  if (isNews && source) channel.postMessage({ id: me, seen });
}

function showRest() {
  document.documentElement.dataset.live = resting ? "resting" : "on";
}

function reopen() {
  timer = 0;
  if (resting) return;
  const all = wanted();
  const key = JSON.stringify(all);
  const open = source && source.readyState !== EventSource.CLOSED;
  if (open && key === openedFor) return;
  source?.close();
  source = null;
  openedFor = key;
  if (!all.runs.length && !all.output.length && !all.table && !all.sweeps && !all.sweep) return;
  const asked = { ...all, runs: at("runs", all.runs), output: at("output", all.output) };
  source = new EventSource(`api/events?watch=${encodeURIComponent(JSON.stringify(asked))}`);
  channel.postMessage({ id: me, seen });
  source.onopen = () => reportServer(true);
  source.onerror = failed;
  for (const kind of EVENTS) source.addEventListener(kind, (event) => arrived(kind, event));
}

function at(kind, ids) {
  return Object.fromEntries(ids.map((id) => [id, cursors[kind][id] ?? null]));
}

// The browser opens the stream again by itself, with the last id, unless the server (or a proxy before it) answered with an error.
function failed() {
  reportServer(false);
  if (source && source.readyState === EventSource.CLOSED) {
    clearTimeout(timer);
    timer = setTimeout(reopen, AGAIN_MS);
  }
}

function arrived(kind, event) {
  const data = parsed(event.data);
  const place = parsed(event.lastEventId);
  for (const name of ["runs", "output"]) Object.assign(cursors[name], place?.[name] || {});
  if (!data) return;
  for (const { what, handlers } of [...watchers]) {
    if (!handlers[kind] || !concerns(what, kind, data)) continue;
    try {
      handlers[kind](data);
    } catch (error) {
      console.error(error); // one part of a page that fails must not stop the others
    }
  }
}

function concerns(what, kind, data) {
  if (kind === "points" || kind === "run" || kind === "gone") return data.run in (what.runs || {}) || (kind !== "points" && data.run in (what.output || {}));
  if (kind === "output") return data.run in (what.output || {});
  if (kind === "sweep") return what.sweep === data.sweep;
  return Boolean(what[kind]);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
