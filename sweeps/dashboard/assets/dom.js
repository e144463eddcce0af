/**
 * Elements of the pages. Text enters only as text: nothing parses markup, so a hostile name is shown, never run.
 * A link leads into the page or to a file of the same server; any other target is left out.
 */

const PROPERTIES = new Set(["checked", "disabled", "hidden", "indeterminate", "open", "readOnly", "selected", "tabIndex", "value"]);
const TARGETS = /^(#|\.\/|api\/|assets\/|data:image\/(png|jpeg|gif|webp);)/;

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

/** Return a function that runs `work` at most once per frame, with the arguments of the last call; `.cancel()` drops it. */
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

/** Run `make` when `host` first comes into view, as charts far below cost nothing; return a function that stops waiting. */
export function whenVisible(host, make) {
  const observer = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        observer.disconnect();
        make();
      }
    },
    { rootMargin: "200px" },
  );
  observer.observe(host);
  return () => observer.disconnect();
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) {
      if (PROPERTIES.has(name) && name in element) element[name] = value === false ? false : element[name];
    } else if (name === "style") style(element, value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else if (PROPERTIES.has(name) && name in element) element[name] = value;
    else setAttribute(element, name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
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
