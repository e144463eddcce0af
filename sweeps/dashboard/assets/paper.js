/** The page on paper: it is light there, and whole. Tells when it is drawn for paper, and when for the screen again. */

export const PAPER = 720; // px, about the width of a page

const listeners = new Set();
let on = false;
let themeOnScreen = "";

/** Call `listener(on)` before the page is printed, and when it is on the screen again; return a function that ends this. */
export function onPaper(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Tell whether the page is drawn for paper now. */
export function isPaper() {
  return on;
}

// What the reader chose comes back on the screen.
function turn(next) {
  if (next === on) return;
  on = next;
  const root = document.documentElement.dataset;
  if (on) {
    themeOnScreen = root.theme ?? "";
    root.theme = "light";
  } else if (themeOnScreen) root.theme = themeOnScreen;
  else delete root.theme;
  for (const listener of [...listeners]) listener(on);
}

addEventListener("beforeprint", () => turn(true));
addEventListener("afterprint", () => turn(false));
matchMedia("print").addEventListener("change", ({ matches }) => turn(matches)); // as tools that print ask for it
