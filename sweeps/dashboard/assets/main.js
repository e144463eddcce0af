/** The frame of the pages: which page an address opens, the menu, the store, and whether the server is there. */

import { h, put } from "./dom.js";
import { ApiError, getJson, onServer, serverAnswers } from "./api.js";
import { choice } from "./controls.js";
import { refreshTimes } from "./format.js";
import { leavePlace, takePlace } from "./places.js";
import { plotLibrary } from "./plot_library.js";
import { formatAddress, parseAddress, startRouter } from "./router.js";
import { failedState } from "./states.js";
import { startTheme, themeButton } from "./theme.js";

const TIMES_MS = 10000;
const MENU = [
  ["runs", "Runs"],
  ["sweeps", "Sweeps"],
  ["models", "Models"],
];
// a page exports show(host, address, context) and returns {leave()}, also {change(address)} if it can show another of its addresses
const PAGES = {
  runs: () => import("./runs_page.js"),
  run: () => import("./run_page.js"),
  compare: () => import("./compare_page.js"),
  sweeps: () => import("./sweeps_page.js"),
  sweep: () => import("./sweep_page.js"),
  models: () => import("./models_page.js"),
  model: () => import("./model_page.js"),
};
const BELONGS = { run: "runs", compare: "runs", sweep: "sweeps", model: "models" };

const host = document.getElementById("main");
const banner = document.querySelector(".banner");
let current = null;
let opened = 0;
let stores = [];
let version = "";
let shown = {};
let readOn = false;
let arrival = null; // what is to be done when the view that was asked for is drawn

startTheme();
put(document.querySelector(".top-end"), themeButton());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names a view
  host.focus();
});
setInterval(() => document.hidden || refreshTimes(document), TIMES_MS);
onServer(drawBanner);
new MutationObserver(arrived).observe(document.documentElement, { attributeFilter: ["data-ready"] });
startRouter(open);
askStores();

// The other pages are at hand when they are wanted, also when the server is gone by then.
async function readAhead() {
  for (const part of [plotLibrary, ...Object.values(PAGES)]) if (serverAnswers()) await part().catch(() => {});
}

async function askStores() {
  try {
    ({ stores, version } = await getJson("stores"));
    drawFrame();
    drawBanner(true);
  } catch (error) {
    if (error.kind === "gone") {
      const stop = onServer((answers) => {
        if (answers) {
          stop();
          askStores();
        }
      });
    }
  }
}

async function open(address, move = null) {
  delete document.documentElement.dataset.ready;
  if (current?.change && address.page === shown.page && address.id === shown.id && address.store === shown.store) {
    current.change(address);
    return;
  }
  const mine = ++opened;
  if (move?.left) leavePlace(move.left, host);
  current?.leave?.();
  current = null;
  const another = shown.page !== address.page || shown.id !== address.id;
  if (move?.left) arrival = () => takePlace(move.entry, host, { isBack: move.isBack, top: another ? 0 : null });
  shown = address;
  document.documentElement.dataset.page = address.page;
  drawNav(address);
  try {
    if (!PAGES[address.page]) throw new ApiError("missing", `There is no page ${address.page}.`);
    const { show } = await moduleOf(address.page);
    if (mine !== opened) return;
    put(host);
    host.className = `page ${address.page}-page`;
    current = show(host, address, contextOf(address, mine));
  } catch (error) {
    if (mine !== opened) return;
    if (!error.kind) console.error(error);
    put(host, failedState(error, () => (error.kind === "gone" ? location.reload() : open(address))));
    document.documentElement.dataset.ready = "failed";
  }
}

// The reader is taken to the view once it is drawn, or has failed; the first one of a document is the browser's own matter.
function arrived() {
  if (!document.documentElement.dataset.ready || !arrival) return;
  arrival();
  arrival = null;
  document.getElementById("said").textContent = document.title.replace(/ · podium$/, "");
}

// A browser remembers that a module could not be loaded: only loading the whole document anew asks for it again, once.
async function moduleOf(page) {
  try {
    const module = await PAGES[page]();
    remember(page, null);
    return module;
  } catch (fault) {
    try {
      await getJson("stores");
    } catch (error) {
      if (error.kind === "gone") onServer((answers) => answers && parseAddress(location.hash).page === page && location.reload());
      throw error;
    }
    if (!remember(page, "1")) location.reload();
    throw fault; // the server is there: the module itself is broken
  }
}

// Note that the document was loaded anew for a page, or no more; return what was noted before.
function remember(page, mark) {
  const key = `podium-again-${page}`;
  try {
    const before = sessionStorage.getItem(key);
    if (mark) sessionStorage.setItem(key, mark);
    else sessionStorage.removeItem(key);
    return before;
  } catch {
    return "1"; // storage may be forbidden: then no loading anew, which might never end
  }
}

/** What a page is given: where its store is, how it links, and how it says that it is drawn. */
function contextOf(address, mine) {
  return {
    store: address.store,
    api: (rest) => `${address.store}/${rest}`,
    link: (page, id = null, params = {}) => formatAddress(page, id, params, address.store),
    go: (page, id = null, params = {}) => (location.hash = formatAddress(page, id, params, address.store)),
    title: (words) => (document.title = words ? `${words} · podium` : "podium"),
    ready: (name) => {
      if (mine !== opened) return;
      document.documentElement.dataset.ready = name;
      if (!readOn) idle(readAhead);
      readOn = true;
    },
  };
}

function drawNav(address) {
  const here = BELONGS[address.page] || address.page;
  put(
    document.querySelector(".nav"),
    MENU.map(([page, label]) => h("a", { href: formatAddress(page, null, {}, address.store), "aria-current": page === here ? "page" : null }, label)),
  );
  document.querySelector(".brand").setAttribute("href", formatAddress("runs", null, {}, address.store));
  drawFrame(address.store);
}

function drawFrame(store = contextStore()) {
  const end = document.querySelector(".top-end");
  const theme = end.lastElementChild;
  const one = stores.find((known) => known.number === store);
  const pick =
    stores.length > 1
      ? choice("Store", stores.map((known) => [String(known.number), known.name]), String(store), (chosen) => (location.hash = formatAddress("runs", null, {}, Number(chosen))))
      : h("span", { class: "store", title: one?.path || null }, one?.name || "");
  put(end, pick, theme);
  theme.dataset.version = version;
}

function idle(work) {
  if (window.requestIdleCallback) requestIdleCallback(work, { timeout: 3000 });
  else setTimeout(work, 500);
}

function contextStore() {
  return Number(new URLSearchParams(location.hash.split("?")[1] || "").get("store") || 0);
}

function drawBanner(answers) {
  banner.hidden = answers;
  if (answers) {
    put(banner);
    return;
  }
  const here = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname) && location.pathname === "/"; // else a proxy has the port
  const port = here && location.port ? [`--port ${location.port}`] : [];
  const command = ["podium dashboard", ...stores.map((known) => `--store ${quoted(known.path)}`), ...port].join(" "); // this page looks for these stores at this port
  put(banner, h("strong", null, "The dashboard was stopped. "), "Start it again with ", h("code", null, command), "; this page goes on by itself.");
}

function quoted(path) {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
