/** What a part of a page shows while it has nothing to show: loading, empty, failed. Each says what to do. */

import { h, put } from "./dom.js";
import { onServer } from "./api.js";
import { formatAddress, parseAddress } from "./router.js";

const PATIENCE_MS = 150;
const VANISHED_MS = 3000; // after which a store that is gone is asked for again

/** Show "Loading…" in `host` when loading takes longer than an eye notices; return a function that ends it. */
export function loadingState(host, words = "Loading…") {
  const timer = setTimeout(() => put(host, h("p", { class: "state loading", role: "status" }, words)), PATIENCE_MS);
  return () => clearTimeout(timer);
}

/** Return the block for nothing to show: what is missing, and what makes it appear. */
export function emptyState(title, ...advice) {
  return h("div", { class: "state empty" }, h("h2", null, title), ...advice.map((one) => (one instanceof Node ? one : h("p", null, one))));
}

/** Return the block for a failed question, with a button to ask again. */
export function failedState(error, again = null) {
  const words = {
    gone: ["The dashboard was stopped", "Start it again with podium dashboard; this page goes on by itself."],
    login: ["This browser is not let in", "Open the address that podium dashboard printed in the terminal: it carries the key."],
    missing: ["Not found", error.message],
    vanished: ["The store is gone", error.message],
    refused: ["Not understood", error.message],
  }[error.kind] || ["This could not be read", error.message || String(error)];
  return h(
    "div",
    { class: "state failed", role: "alert" },
    h("h2", null, words[0]),
    h("p", null, words[1]),
    error.detail ? h("pre", { class: "carets", tabIndex: 0 }, error.detail) : null,
    error.kind === "missing" ? h("a", { class: "button", href: formatAddress("runs", null, {}, parseAddress(location.hash).store) }, "Go to the runs") : null,
    again && error.kind !== "missing" ? h("button", { type: "button", class: "button", onclick: again }, "Try again") : null,
  );
}

/**
 * Ask with `load(signal)` and hand the answer to `draw`; meanwhile `host` shows that it loads, and what failed.
 * A server that was gone is asked again when it is back, and a store from time to time. Returns {reload, stop}; an answer that comes after a newer question is dropped.
 */
export function loaded(host, load, draw) {
  let controller = null;
  let [waits, timer] = [false, 0];
  const reload = async () => {
    controller?.abort();
    clearTimeout(timer);
    const mine = new AbortController();
    controller = mine;
    waits = false;
    const quiet = loadingState(host);
    try {
      const answer = await load(mine.signal);
      quiet();
      if (!mine.signal.aborted) draw(answer);
    } catch (error) {
      quiet();
      if (mine.signal.aborted) return;
      waits = error.kind === "gone";
      put(host, failedState(error, reload));
      if (error.kind === "vanished") timer = setTimeout(reload, VANISHED_MS);
      document.documentElement.dataset.ready ??= "failed";
      if (!error.kind) console.error(error); // a fault of the page itself
    }
  };
  const stopServer = onServer((answers) => answers && waits && reload());
  reload();
  return {
    reload,
    stop() {
      stopServer();
      clearTimeout(timer);
      controller?.abort();
    },
  };
}
