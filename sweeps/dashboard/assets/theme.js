/** Light or dark: as the machine says, unless the reader chose. */

import { h, put, s } from "./dom.js";

const KEY = "podium-theme";
const CHOICES = ["auto", "light", "dark"];
const PICTURES = {
  auto: "M8 1.5a6.5 6.5 0 1 0 0 13v-13z",
  light: "M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM8 0v2M8 14v2M0 8h2M14 8h2M2.3 2.3l1.5 1.5M12.2 12.2l1.5 1.5M2.3 13.7l1.5-1.5M12.2 3.8l1.5-1.5",
  dark: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
};
const listeners = new Set();

/** Take the reader's choice, and tell charts when the colours change. */
export function startTheme() {
  apply(chosen());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
}

/** Call `listener()` when the colours of the page have changed; return a function that ends this. */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Tell whether the page is dark now. */
export function isDark() {
  const forced = document.documentElement.dataset.theme;
  return forced ? forced === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Return the button that goes through automatic, light and dark. */
export function themeButton() {
  const button = h("button", { type: "button", class: "button quiet icon" });
  const draw = () => {
    const now = chosen();
    put(button, s("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", class: "theme-picture" }, s("circle", { cx: 8, cy: 8, r: now === "auto" ? 6.5 : 0 }), s("path", { d: PICTURES[now], class: now === "light" ? null : "filled" })));
    button.title = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" }[now];
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", () => {
    const next = CHOICES[(CHOICES.indexOf(chosen()) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // storage may be forbidden: the choice holds for this page
    }
    apply(next);
    draw();
    tell();
  });
  draw();
  return button;
}

function chosen() {
  const here = document.documentElement.dataset.choice;
  if (here) return here;
  try {
    const kept = localStorage.getItem(KEY);
    return CHOICES.includes(kept) ? kept : "auto";
  } catch {
    return "auto";
  }
}

function apply(choice) {
  document.documentElement.dataset.choice = choice;
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

function tell() {
  for (const listener of [...listeners]) listener();
}
