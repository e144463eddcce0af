/** The field for a filter: names are suggested while one types, and what is not understood is shown below with its carets. */

import { afterPause, freshId, h, put } from "./dom.js";
import { suggestions } from "./filter_words.js";

const COMPLAIN_MS = 900; // a filter half written is no mistake
const EXAMPLE = "status == 'completed' and learning_rate < 0.01";

/**
 * Return the element of a filter field. Options: `value`; `items()`: fields to suggest, [{name, label, group}]; `ontype(text)`: called with each key; `onapply(text)`: at Enter.
 * It has `setText(text)`, `fail(error)` (an ApiError, or null when all is well) and `focusField()`.
 */
export function filterField({ value, items, ontype, onapply, label = "Filter" }) {
  const listId = freshId("words");
  const errorId = freshId("error");
  const field = h("input", { type: "text", class: "field mono", value, placeholder: `Filter, as ${EXAMPLE}`, "aria-label": label, role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": listId, "aria-describedby": errorId, autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: 10000 });
  const list = h("div", { class: "words panel", role: "listbox", id: listId, "aria-label": "Names", hidden: true });
  const box = h("pre", { class: "carets", id: errorId, hidden: true, role: "status" });
  const clear = h("button", { type: "button", class: "button quiet small clear", "aria-label": "Clear the filter", title: "Clear the filter", hidden: !value, onclick: () => apply("") }, "✕");
  const made = h("div", { class: "filter" }, h("div", { class: "filter-line" }, field, clear, list), box);
  let offered = { from: 0, words: [] };
  let active = -1;
  let insists = false; // Enter was pressed: a mistake is shown at once

  const complain = afterPause((words) => {
    box.textContent = words;
    box.hidden = false;
    field.setAttribute("aria-invalid", "true");
  }, COMPLAIN_MS);

  function apply(text) {
    if (text !== undefined) field.value = text;
    clear.hidden = !field.value;
    close();
    insists = true;
    complain.now();
    onapply(field.value.trim());
    field.focus();
  }

  function close() {
    list.hidden = true;
    active = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function offer() {
    offered = suggestions(field.value.slice(0, field.selectionStart), items());
    active = -1;
    drawList();
  }

  function drawList() {
    list.hidden = !offered.words.length;
    field.setAttribute("aria-expanded", String(!list.hidden));
    if (active < 0) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", `${listId}-${active}`);
    put(
      list,
      offered.words.map((word, index) =>
        h(
          "div",
          { class: `word${index === active ? " active" : ""}`, role: "option", id: `${listId}-${index}`, "aria-selected": String(index === active), onpointerdown: (event) => {
            event.preventDefault(); // the field keeps the focus
            take(index);
          } },
          h("span", { class: "pick-name" }, word.label === word.name ? word.name : word.label),
          h("span", { class: "pick-group" }, word.group),
        ),
      ),
    );
    list.children[active]?.scrollIntoView({ block: "nearest" });
  }

  function take(index) {
    const word = offered.words[index];
    if (!word) return;
    const end = field.selectionStart;
    field.value = field.value.slice(0, offered.from) + word.name + field.value.slice(end);
    const caret = offered.from + word.name.length;
    field.setSelectionRange(caret, caret);
    clear.hidden = false;
    close();
    ontype(field.value.trim());
  }

  field.addEventListener("input", () => {
    clear.hidden = !field.value;
    insists = false;
    complain.cancel();
    ontype(field.value.trim());
    offer();
  });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    const open = !list.hidden;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const count = offered.words.length;
      active = event.key === "ArrowDown" ? (active + 1) % count : (active <= 0 ? count : active) - 1;
      drawList();
    } else if (open && (event.key === "Enter" || event.key === "Tab") && active >= 0) take(active);
    else if (event.key === "Enter") apply();
    else if (open && event.key === "Escape") close();
    else if (event.key === " " && event.ctrlKey) offer();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  made.setText = (text) => {
    if (field.value.trim() === text) return; // it came from here, where one may be typing on
    field.value = text;
    clear.hidden = !text;
    close();
  };
  made.fail = (error) => {
    complain.cancel();
    if (error) {
      complain([error.message, error.detail].filter(Boolean).join("\n"));
      if (insists || !box.hidden || document.activeElement !== field) complain.now();
    } else {
      box.hidden = true;
      box.textContent = "";
      field.removeAttribute("aria-invalid");
    }
  };
  made.focusField = () => field.focus();
  return made;
}
