/** Buttons, menus and fields, each with its label and its keys. */

import { add, afterPause, freshId, h, oncePerFrame, put, style } from "./dom.js";

const LINE = 28;
const LINES = 10.4; // of a list in view: that the last is cut says that there are more
const COPIED_MS = 1400;

/** Return a button. `kind`: "primary", "quiet" or none. */
export function button(label, onclick, { kind = "", title = null, disabled = false } = {}) {
  return h("button", { type: "button", class: `button ${kind}`, title, disabled, onclick }, label);
}

/** Return a button that copies a text and says so. */
export function copyButton(words, label = "Copy") {
  const made = button(label, async () => {
    const done = await copied(typeof words === "function" ? words() : words);
    made.textContent = done ? "Copied" : "Select and copy by hand";
    setTimeout(() => (made.textContent = label), COPIED_MS);
  }, { kind: "quiet small" });
  made.setAttribute("aria-live", "polite");
  return made;
}

/** Return a code block of one or more lines with a button to copy it. */
export function codeBlock(words) {
  return h("div", { class: "code" }, h("pre", { tabIndex: 0 }, words), copyButton(words));
}

/** Return a labelled choice of few: `options` are [value, text] pairs. The element has `set(options, value)`. */
export function choice(label, options, value, onchange) {
  const list = h("select", { class: "field", onchange: () => onchange(list.value) });
  const made = h("label", { class: "choice" }, h("span", null, label), list);
  made.set = (pairs, chosen) => {
    put(list, pairs.map(([name, words]) => h("option", { value: name }, words)));
    list.value = chosen;
  };
  made.set(options, value);
  return made;
}

/** Return a labelled check box. */
export function toggle(label, checked, onchange, title = null) {
  const box = h("input", { type: "checkbox", checked, onchange: () => onchange(box.checked) });
  return h("label", { class: "toggle", title }, box, h("span", null, label));
}

/** Return a labelled slider; `say(value)` is the text beside it. */
export function slider(label, { min, max, step, value, say = String }, oninput) {
  const words = h("output", { class: "num" }, say(value));
  const bar = h("input", { type: "range", min, max, step, value: String(value), "aria-label": label });
  bar.addEventListener("input", () => {
    words.textContent = say(Number(bar.value));
    oninput(Number(bar.value));
  });
  bar.value = String(value);
  return h("label", { class: "choice slider" }, h("span", null, label), bar, words);
}

/** Return a field for a word to look for; `oninput(text)` comes when typing pauses. */
export function searchField(label, value, oninput, { pause = 80 } = {}) {
  const later = afterPause(() => oninput(field.value), pause);
  const field = h("input", { type: "search", class: "field", value, placeholder: label, "aria-label": label, autocomplete: "off", spellcheck: "false", oninput: later });
  return field;
}

/**
 * Return a button that opens a panel below it. `build(panel, close)` fills the panel each time it opens.
 * Escape, a click beside it and Tab out of it close it. The element has `setLabel(text)`, `close()` and `isOpen()`.
 */
export function menu(label, build, { title = null, align = "left", kind = "" } = {}) {
  const id = freshId("menu");
  const words = h("span", null, label);
  const opener = h("button", { type: "button", class: `button menu-opener ${kind}`, title, "aria-haspopup": "true", "aria-expanded": "false", "aria-controls": id }, words);
  const panel = h("div", { class: `panel ${align}`, id, tabIndex: -1, hidden: true }); // a click in it keeps the focus in it
  const made = h("div", { class: "menu" }, opener, panel);
  const outside = (event) => !made.contains(event.target) && close();
  const close = (back = false) => {
    if (panel.hidden) return;
    panel.hidden = true;
    panel.replaceChildren();
    opener.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    if (back) opener.focus();
  };
  const open = () => {
    panel.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    build(panel, () => close(true));
    panel.querySelector("input, button, [tabindex]")?.focus();
  };
  opener.addEventListener("click", () => (panel.hidden ? open() : close()));
  made.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) {
      event.stopPropagation();
      close(true);
    }
    if (event.key === "ArrowDown" && event.target === opener && panel.hidden) {
      event.preventDefault();
      open();
    }
  });
  made.addEventListener("focusout", (event) => event.relatedTarget && !made.contains(event.relatedTarget) && close());
  made.setLabel = (text) => (words.textContent = text);
  made.close = close;
  made.isOpen = () => !panel.hidden;
  return made;
}

/**
 * Return a menu to pick from any number of names: a field to look for some, and a list of which only the part in view is drawn.
 * `items()`: [{name, label, group}] in order; `chosen()`: a Set of names; `onpick(name, on)`. With `single` a pick closes the menu.
 */
export function pickMenu(label, { items, chosen, onpick, single = false, title = null, align = "left", placeholder = "Look for a name", extra = null }) {
  return menu(
    label,
    (panel, close) => {
      const list = pickList({ items, chosen, single, placeholder, onpick: (name, on) => {
        onpick(name, on);
        if (single) close();
      } });
      add(panel, list.field, list.box, extra ? h("div", { class: "panel-foot" }, extra(() => list.refresh())) : null);
    },
    { title, align },
  );
}

function pickList({ items, chosen, onpick, single, placeholder }) {
  const id = freshId("pick");
  const all = items();
  let seen = all;
  let active = Math.max(0, single ? all.findIndex((item) => chosen().has(item.name)) : 0);
  const space = h("div", { class: "pick-space", onmousedown: (event) => event.preventDefault() }); // the field keeps the focus
  const box = h("div", { class: "pick", role: "listbox", id, "aria-label": placeholder, "aria-multiselectable": single ? null : "true" }, space);
  style(box, { height: `${Math.min(LINES, Math.max(2, all.length)) * LINE}px` });
  const field = h("input", { type: "search", class: "field", placeholder, "aria-label": placeholder, role: "combobox", "aria-expanded": "true", "aria-controls": id, autocomplete: "off", spellcheck: "false" });
  const draw = () => {
    const from = Math.max(0, Math.floor(box.scrollTop / LINE) - 4);
    const to = Math.min(seen.length, from + Math.ceil((box.clientHeight || 280) / LINE) + 8);
    const now = chosen();
    style(space, { height: `${Math.max(1, seen.length) * LINE}px` });
    const lines = [];
    for (let index = from; index < to; index += 1) lines.push(line(seen[index], index, now));
    put(space, lines.length ? lines : h("p", { class: "pick-none" }, "No such name"));
    field.setAttribute("aria-activedescendant", seen.length ? `${id}-${active}` : "");
  };
  const line = (item, index, now) => {
    const on = now.has(item.name);
    const made = h(
      "div",
      { class: `pick-line${index === active ? " active" : ""}`, role: "option", id: `${id}-${index}`, "aria-selected": String(on), "aria-posinset": index + 1, "aria-setsize": seen.length, title: item.name, onclick: () => pick(index) },
      h("span", { class: single ? "pick-mark radio" : "pick-mark", "aria-hidden": "true" }, on ? "✓" : ""),
      h("span", { class: "pick-name" }, item.label),
      item.group ? h("span", { class: "pick-group" }, item.group) : null,
    );
    return style(made, { transform: `translateY(${index * LINE}px)` });
  };
  const pick = (index) => {
    const item = seen[index];
    if (!item) return;
    active = index;
    onpick(item.name, !chosen().has(item.name));
    draw();
  };
  const later = oncePerFrame(draw);
  const look = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    seen = words.length ? all.filter((item) => words.every((word) => `${item.label} ${item.name} ${item.group || ""}`.toLowerCase().includes(word))) : all;
    active = 0;
    box.scrollTop = 0;
    draw();
  };
  field.addEventListener("input", look);
  field.addEventListener("keydown", (event) => {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 9, PageUp: -9 };
    if (event.key in moves) {
      active = Math.min(seen.length - 1, Math.max(0, active + moves[event.key]));
      box.scrollTop = Math.min(active * LINE, Math.max(box.scrollTop, active * LINE - box.clientHeight + LINE));
      draw();
    } else if (event.key === "Enter") pick(active);
    else return;
    event.preventDefault();
  });
  box.addEventListener("scroll", later);
  requestAnimationFrame(() => {
    box.scrollTop = Math.max(0, active * LINE - 100);
    draw();
  });
  draw();
  return { field, box, refresh: draw };
}

async function copied(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    const area = h("textarea", { class: "offscreen", value: words, readOnly: true, "aria-hidden": "true" });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy"); // where the page is not served securely, behind a proxy
    area.remove();
    return done;
  }
}
