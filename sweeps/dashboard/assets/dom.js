/**
 * Elements of the pages. Text enters only as text: nothing parses markup, so a hostile name is shown, never run.
 * A link leads into the page or to a file of the same server; any other target is left out.
 */

import { isPaper, onPaper } from "./paper.js";

const PROPERTIES = new Set(["checked", "disabled", "hidden", "indeterminate", "open", "readOnly", "selected", "tabIndex", "value"]);
const waiting = new Map(); // what is made when it comes into view -> where
const TARGETS = /^(#|\.\/|api\/|assets\/|data:image\/(png|jpeg|gif|webp);)/;

onPaper((on) => {
  if (on) for (const start of [...waiting.keys()]) start();
});

/** Return an element. `props`: `class`, `dataset`, `style` (set one by one, as a strict policy asks), `onEVENT` functions, properties and attributes; null and false leave one out. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** Return an element of SVG, as `h` does. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

/** Replace what an element holds. */
export function put(host, ...children) {
  host.replaceChildren(...nodes(children));
  return host;
}

/** Replace what an element holds by the like of it, drawn anew: the focus stays at its place. */
export function putAnew(host, ...children) {
  const path = [];
  const held = host.contains(document.activeElement) ? document.activeElement : host;
  for (let at = held; at !== host; at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
  put(host, ...children);
  if (path.length) path.reduce((at, place) => at?.children[place], host)?.focus?.({ preventScroll: true });
  return host;
}

/** Add to what an element holds. */
export function add(host, ...children) {
  host.append(...nodes(children));
  return host;
}

/** Set styles of an element; names are those of CSS (`grid-column`, `--width`), null removes one. */
export function style(element, styles) {
  for (const [name, value] of Object.entries(styles)) {
    if (value === null || value === undefined) element.style.removeProperty(name);
    else element.style.setProperty(name, String(value));
  }
  return element;
}

/** Return a number that no other call returned, for ids that labels and aria refer to. */
export function freshId(prefix) {
  freshId.last = (freshId.last || 0) + 1;
  return `${prefix}-${freshId.last}`;
}

/** Return a function that runs `work` at most once per frame, with the arguments of the last call; `.now()` runs what waits, `.cancel()` drops it. */
export function oncePerFrame(work) {
  let frame = 0;
  let last = [];
  const later = (...args) => {
    last = args;
    if (!frame) {
      frame = requestAnimationFrame(() => {
        frame = 0;
        work(...last);
      });
    }
  };
  later.cancel = () => {
    cancelAnimationFrame(frame);
    frame = 0;
  };
  later.now = () => {
    if (!frame) return;
    later.cancel();
    work(...last);
  };
  return later;
}

/** Return a function that runs `work` when it has not been called for `ms`; `.now()` runs what waits, `.cancel()` drops it. */
export function afterPause(work, ms) {
  let timer = 0;
  let last = null;
  const run = () => {
    timer = 0;
    const args = last;
    last = null;
    if (args) work(...args);
  };
  const later = (...args) => {
    last = args;
    clearTimeout(timer);
    timer = setTimeout(run, ms);
  };
  later.cancel = () => {
    clearTimeout(timer);
    last = null;
  };
  later.now = () => {
    clearTimeout(timer);
    run();
  };
  return later;
}

/** Run `make` when `host` first comes into view, as charts far below cost nothing, or is printed; return a function that stops waiting. */
export function whenVisible(host, make) {
  const observer = new IntersectionObserver(
    (entries) => entries.some((entry) => entry.isIntersecting) && start(),
    { rootMargin: "200px" },
  );
  const stop = () => {
    observer.disconnect();
    waiting.delete(start);
  };
  const start = () => {
    stop();
    make();
  };
  observer.observe(host);
  waiting.set(start, host);
  if (isPaper()) start();
  return stop;
}

/** Tell whether something within an element waits until it comes into view. */
export function waitsWithin(element) {
  return [...waiting.values()].some((host) => element.contains(host));
}

/** Make now what waits within an element. */
export function makeWithin(element) {
  for (const [start, host] of [...waiting]) if (element.contains(host)) start();
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props || {})) if (!isNone(value) || PROPERTIES.has(name)) setProperty(element, name, value);
  element.append(...nodes(children));
  return element;
}

/** Set one of the `props` of `h`; null and false take it away. */
export function setProperty(element, name, value) {
  if (PROPERTIES.has(name) && name in element) {
    if (value !== null && value !== undefined) element[name] = value;
  } else if (isNone(value)) element.removeAttribute(name);
  else if (name === "style") style(element, value);
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
  else setAttribute(element, name, value === true ? "" : String(value));
}

function isNone(value) {
  return value === null || value === undefined || value === false;
}

function setAttribute(element, name, value) {
  if (/^on|^srcdoc$/i.test(name)) throw new Error(`the attribute ${name} would run text`);
  if (/^(href|src|action|xlink:href)$/i.test(name) && !TARGETS.test(value)) return;
  element.setAttribute(name, value);
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}
