/**
 * Where the reader is when the view changes: on a new one at its heading, back on one that they left where they were.
 * Without this the focus falls to the top of the document, as the element that had it is gone.
 */

import { makeWithin, oncePerFrame, waitsWithin } from "./dom.js";
import { tableOf } from "./table.js";

const PATIENCE_MS = 30000; // until what was drawn is drawn again, and what had the focus is there
const SIGNS = ["wheel", "pointerdown", "keydown"]; // the reader goes on by themselves
const places = new Map(); // entry of the history -> {focus, from: where that is in the window, top, drawn: names of sections}

history.scrollRestoration = "manual"; // the browser would scroll before the view is drawn
addEventListener("pagehide", () => (history.scrollRestoration = "auto"));
addEventListener("pageshow", () => (history.scrollRestoration = "manual"));

/** Note where the reader is on a view that is left; `entry` is the one of the history that it belongs to. */
export function leavePlace(entry, host) {
  const focus = focusIn(host);
  const drawn = new Set(sectionsOf(host).filter((section) => !section.hidden && !waitsWithin(section)).map(nameOf));
  places.set(entry, { focus, from: focus && topOf(document.activeElement), top: scrollY, drawn });
}

/**
 * Put the focus where it belongs on a view that is drawn now, and scroll to `top`. With `isBack` the sections are drawn that were, as
 * each one that is not makes the page shorter, and what has the focus is where the reader left it in the window.
 */
export function takePlace(entry, host, { isBack, top }) {
  const place = isBack ? places.get(entry) : null;
  const goal = place ? place.top : top;
  const isIn = () => document.activeElement !== host && host.contains(document.activeElement);
  if (!isIn()) (host.querySelector("h1") ?? host).focus({ preventScroll: true });
  const first = document.activeElement;
  const settle = () => {
    if (place) for (const section of sectionsOf(host)) if (place.drawn.has(nameOf(section))) makeWithin(section);
    if (place?.focus && document.activeElement === first) focusOn(host, place.focus);
    if (place?.focus && isIn() && document.activeElement !== first) scrollBy(0, topOf(document.activeElement) - place.from);
    else if (goal !== null) scrollTo(0, goal);
  };
  settle();
  if (!place) return;
  const later = oncePerFrame(settle);
  const sized = new ResizeObserver(later); // what comes above the place moves it
  const stop = () => {
    sized.disconnect();
    later.cancel();
    clearTimeout(timer);
    removeEventListener("hashchange", stop);
    for (const sign of SIGNS) removeEventListener(sign, stop, { capture: true });
  };
  const timer = setTimeout(stop, PATIENCE_MS);
  addEventListener("hashchange", stop);
  for (const sign of SIGNS) addEventListener(sign, stop, { capture: true });
  for (const part of [host, ...host.children]) sized.observe(part);
}

function sectionsOf(host) {
  return [...host.querySelectorAll("section")];
}

function nameOf(section) {
  return section.getAttribute("aria-label") ?? section.querySelector("h2, h3")?.textContent ?? "";
}

// A row of a table stays in sight, or the table scrolls to it.
function topOf(element) {
  return (element.closest("[role=grid]") ?? element).getBoundingClientRect().top;
}

function focusIn(host) {
  const held = document.activeElement;
  if (!held || held === host || !host.contains(held)) return null;
  const grid = held.closest("[role=grid]");
  if (grid) return { grid: grid.getAttribute("aria-label"), place: tableOf(grid)?.place() };
  return { kind: kindOf(held), at: alike(host, kindOf(held)).indexOf(held) };
}

function focusOn(host, focus) {
  const found = focus.grid ? [...host.querySelectorAll("[role=grid]")].find((grid) => grid.getAttribute("aria-label") === focus.grid) : alike(host, focus.kind)[focus.at];
  if (focus.place && found) tableOf(found)?.goTo(focus.place);
  found?.focus({ preventScroll: true });
}

// What tells an element from others when the view is drawn anew.
function kindOf(element) {
  return [element.localName, element.getAttribute("href") ?? element.getAttribute("aria-label") ?? element.textContent].join(" ");
}

function alike(host, kind) {
  return [...host.querySelectorAll(kind.slice(0, kind.indexOf(" ")))].filter((element) => kindOf(element) === kind);
}
