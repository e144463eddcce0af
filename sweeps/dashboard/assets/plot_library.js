/** The library that draws curves: 50 kB which a table does not wait for. In a report it is there from the beginning. */

import { h } from "./dom.js";

let loading = null;

/** Return a promise that is kept when the library is there; a failure is tried again by the next call. */
export function plotLibrary() {
  loading ??= window.uPlot ? Promise.resolve() : load();
  return loading;
}

function load() {
  return new Promise((resolve, reject) => {
    const failed = () => {
      loading = null;
      reject(new Error("the library of curves could not be loaded"));
    };
    document.head.append(h("script", { src: "assets/vendor/uPlot.iife.min.js", onload: () => resolve(), onerror: failed }));
  });
}
