/**
 * What the server tells while a page is open. The whole page has one stream: browsers allow few connections to a server.
 * An event's id holds the place in what it tells of; the page keeps them all, so after a pause it goes on exactly where it was.
 */

import { reportServer } from "./api.js";

const AGAIN_MS = 1000;
const RETRY_MS = 500; // after which a stream that was cut off is opened again
const REST_MS = 5000; // after so long out of sight a page gives its connection back: browsers allow six to a server, in all tabs together
const MOST_STREAMS = 4; // pages of this browser that have a stream at a time: two connections are left for questions
const TURN_MS = 400; // for which another page that one sees has a stream in its turn, one page at a time
const TURN_MOST_MS = 5000; // also where no server answers
const PAUSE_MS = 1000; // between two turns of a page
const EVENTS = ["points", "run", "output", "table", "sweep", "sweeps", "models", "gone"];
const watchers = new Set();
const cursors = { runs: {}, output: {} };
let stamps = {}; // what the page has seen last of the rest that the stream watches
let source = null;
let openedFor = "";
let timer = 0;
let rest = 0;
let way = "on"; // "on": the stream is open; "turns": now and then, as others have theirs open; "resting": nobody sees the page

// The other pages of this browser that have a stream, and when each was last looked at.
const me = Math.random().toString(36).slice(2);
const others = new Map();
let seen = Date.now();
const channel = new BroadcastChannel("podium-live");

channel.onmessage = ({ data }) => {
  if (data.seen) others.set(data.id, data.seen);
  else others.delete(data.id);
  const later = [...others].filter(([id, when]) => when > seen || (when === seen && id > me));
  if (way === "on" && source && later.length >= MOST_STREAMS) takeTurns();
  else if (way === "turns" && others.size < MOST_STREAMS) wake();
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
 * Watch something until the returned function is called. `what`: {store, table, runs: {ID: cursor}, output: {ID: offset}, sweeps, sweep, models}.
 * `handlers` by kind of event: `points`, `run`, `output`, `table`, `sweep`, `sweeps`, `models`, `gone`, each called with the event's data.
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
    for (const name of ["table", "sweeps", "sweep", "models"]) if (what[name]) all[name] = what[name];
  }
  all.runs = [...new Set(all.runs)].sort();
  all.output = [...new Set(all.output)].sort();
  return all;
}

function close() {
  leave("resting");
}

function leave(next) {
  way = next;
  source?.close();
  source = null;
  channel.postMessage({ id: me, seen: 0 });
  showWay();
}

function wake() {
  if (way === "on") return;
  way = "on";
  showWay();
  reopen();
}

// Of more pages in sight than a browser has connections for, those that were used last have a stream; each of the others has
// one in its turn, and goes on where it was.
async function takeTurns() {
  leave("turns");
  while (way === "turns") {
    await pause(PAUSE_MS);
    await (navigator.locks ? navigator.locks.request("podium-turn", turn) : turn());
  }
}

async function turn() {
  if (way !== "turns") return;
  connect();
  const mine = source;
  if (!mine) return;
  await Promise.race([pause(TURN_MOST_MS), new Promise((done) => mine.addEventListener("open", done))]);
  await pause(TURN_MS);
  if (way !== "turns") return; // the page is in use again
  mine.close();
  source = null;
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

// A page that one uses has a stream; the one that was looked at longest ago gives its connection to it.
function looked() {
  if (document.hidden) return;
  const isNews = way !== "on" || Date.now() - seen > AGAIN_MS;
  seen = Date.now();
  wake();
  if (isNews && source) channel.postMessage({ id: me, seen });
}

function showWay() {
  document.documentElement.dataset.live = way;
}

function reopen() {
  timer = 0;
  if (way !== "on") return;
  const open = source && source.readyState !== EventSource.CLOSED;
  if (open && JSON.stringify(wanted()) === openedFor) return;
  connect();
  if (source) channel.postMessage({ id: me, seen });
}

function connect() {
  const all = wanted();
  const key = JSON.stringify(all);
  source?.close();
  source = null;
  if (key !== openedFor) stamps = {};
  openedFor = key;
  if (!all.runs.length && !all.output.length && !all.table && !all.sweeps && !all.sweep && !all.models) return;
  const asked = { ...all, runs: at("runs", all.runs), output: at("output", all.output) };
  source = new EventSource(`api/events?watch=${encodeURIComponent(JSON.stringify(asked))}&last=${encodeURIComponent(JSON.stringify(stamps))}`);
  source.onopen = () => reportServer(true);
  source.onerror = failed;
  for (const kind of EVENTS) source.addEventListener(kind, (event) => arrived(kind, event));
}

function at(kind, ids) {
  return Object.fromEntries(ids.map((id) => [id, cursors[kind][id] ?? null]));
}

// The browser would go on by itself, from the last event's id, which says nothing of other runs.
function failed() {
  reportServer(false);
  source?.close();
  source = null;
  clearTimeout(timer);
  timer = setTimeout(reopen, RETRY_MS);
}

function arrived(kind, event) {
  const data = parsed(event.data);
  const place = parsed(event.lastEventId);
  for (const name of ["runs", "output"]) Object.assign(cursors[name], place?.[name] || {});
  for (const name of ["table", "sweeps", "sweep", "models"]) if (place?.[name]) stamps[name] = place[name];
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
