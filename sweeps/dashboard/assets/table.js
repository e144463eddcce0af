/**
 * A table of any number of rows: only those in view are elements, the rest is height. Rows come from `rowAt(index)`;
 * one that is not known yet is asked for with `need(from, to)` and shown as a bar until `refresh()`.
 * The whole table is one stop of the Tab key; arrows, Home, End, Page keys move in it, Space selects, Enter opens.
 */

import { ColumnWidths } from "./column_widths.js";
import { described, made, redrawn } from "./described.js";
import { add, freshId, h, oncePerFrame, put, style } from "./dom.js";

const ROW = 28;
const HEAD = 35; // the header with its lines
const SCROLL_BAR = 16;
const AHEAD = 8; // rows drawn beyond the view, so that a slow scroll shows no gap
const tables = new WeakMap(); // element -> table

/**
 * Put a table into `host`. Options:
 * - `label`; `columns`: [{name, label, title, numeric, sortable, width}]; `total`; `rowAt(index)`; `need(from, to)`
 * - `cell(row, column)`: a description, a node or text, or a list of these; `key(row)`: a text that stays with the row; `open(row)`: Enter or double click
 * - `sort`: [{name, down}], `onsort(sort)`: a header was clicked (Shift adds a second key)
 * - `selected`: a Set of keys that the table changes, `onselect()`; without it nothing can be selected
 * - `keys(from, to)`: a promise of the keys of rows not known yet, for a selection over many
 * - `rowLabel(row)`: what a screen reader calls the row's check box
 * Returns {element, update(options), refresh(), redraw(): every cell anew, scrollTo(index), showFirst(index), scrollBy(rows), first(), atTop(), active(), focus(), destroy()}.
 */
export function virtualTable(host, options) {
  const table = new VirtualTable(host, options);
  return {
    element: table.grid,
    update: (changes) => table.update(changes),
    refresh: () => table.draw(true),
    redraw: () => table.redraw(),
    scrollTo: (index) => table.scrollTo(index),
    showFirst: (index) => table.showFirst(index),
    scrollBy: (rows) => table.scrollBy(rows),
    first: () => table.visible()[0],
    atTop: () => table.view.top < ROW,
    active: () => table.active,
    focus: () => table.grid.focus({ preventScroll: true }),
    destroy: () => table.destroy(),
  };
}

/** Return the table that an element is: `place()` tells which row is the active one, `goTo(place)` makes it so again. */
export function tableOf(element) {
  return tables.get(element);
}

class VirtualTable {
  constructor(host, options) {
    this.options = { total: 0, sort: [], columns: [], need: () => {}, ...options };
    this.active = -1;
    this.anchor = -1;
    this.rows = new Map(); // index -> {element, row, marks, cells: their descriptions, cut: the places of those that are clipped, isFitted}
    this.id = freshId("table");
    this.head = h("div", { class: "vt-head", role: "rowgroup" });
    this.body = h("div", { class: "vt-body", role: "rowgroup" });
    this.grid = h(
      "div",
      {
        class: "vt",
        role: "grid",
        tabIndex: 0,
        "aria-label": options.label,
        onkeydown: (event) => this.keyed(event),
        onscroll: () => this.later(),
        onclick: (event) => this.clicked(event),
        ondblclick: (event) => this.doubleClicked(event),
        onfocus: () => this.focused(),
      },
      this.head,
      this.body,
    );
    this.later = oncePerFrame(() => {
      this.look();
      this.draw(false);
    });
    this.beyond = oncePerFrame(() => setTimeout(() => this.grid.isConnected && this.draw(false)));
    this.observer = new ResizeObserver(() => this.later());
    add(host, this.grid);
    tables.set(this.grid, this);
    this.observer.observe(this.grid);
    this.widths = new ColumnWidths(this.grid);
    this.drawHead();
    this.draw(true);
  }

  update(changes) {
    const { columns, sort } = this.options;
    Object.assign(this.options, changes);
    if (changes.columns && !sameColumns(columns, changes.columns)) {
      this.widths.forget();
      this.forget();
    }
    if (headOf(columns, sort) !== headOf(this.options.columns, this.options.sort)) this.drawHead();
    if (this.active >= this.options.total) this.active = this.options.total - 1;
    this.draw(true);
  }

  redraw() {
    this.forget();
    this.draw(true);
  }

  forget() {
    for (const { element } of this.rows.values()) element.remove();
    this.rows.clear();
  }

  destroy() {
    this.later.cancel();
    this.beyond.cancel();
    this.observer.disconnect();
    this.grid.remove();
  }

  // ---- drawing

  drawHead() {
    const { columns, selected, sort } = this.options;
    const cells = columns.map((column, index) => this.headCell(column, index, sort));
    const all = selected
      ? h("div", { class: "vt-cell vt-check", role: "columnheader", "aria-label": "Selected" }, h("input", { type: "checkbox", tabIndex: -1, "aria-label": "Select all rows", onclick: (event) => this.selectAll(event.target.checked) }))
      : null;
    this.allBox = all?.firstChild || null;
    put(this.head, h("div", { class: "vt-row", role: "row", "aria-rowindex": 1 }, all, cells));
    this.grid.setAttribute("aria-colcount", String(columns.length + (selected ? 1 : 0)));
    if (selected) this.grid.setAttribute("aria-multiselectable", "true");
  }

  headCell(column, index, sort) {
    const place = sort.findIndex((key) => key.name === column.name);
    const direction = place < 0 ? "none" : sort[place].down ? "descending" : "ascending";
    const sortable = column.sortable !== false && this.options.onsort;
    const arrow = place < 0 ? "" : sort[place].down ? "↓" : "↑";
    const label = [h("span", { class: "vt-label" }, column.label), h("span", { class: "vt-arrow", "aria-hidden": "true" }, arrow, sort.length > 1 && place >= 0 ? h("sub", null, place + 1) : null)];
    return h(
      "div",
      { class: `vt-cell${column.numeric ? " vt-number" : ""}`, role: "columnheader", "aria-sort": sortable ? direction : null, "aria-colindex": index + (this.options.selected ? 2 : 1), title: column.title || column.label },
      sortable ? h("button", { type: "button", class: "vt-sort", onclick: (event) => this.sortClicked(column, event.shiftKey) }, label) : label,
    );
  }

  // To ask where a page is that has just changed is to have it laid out at once: this is asked when that is done anyway.
  look() {
    this.view = { top: this.grid.scrollTop, height: this.grid.clientHeight - this.head.offsetHeight };
  }

  visible() {
    const { total } = this.options;
    const height = Math.max(this.view.height, ROW);
    const top = Math.max(0, Math.min(this.view.top, total * ROW - height)); // fewer rows end sooner
    return [Math.floor(top / ROW), Math.min(total, Math.ceil((top + height) / ROW))];
  }

  resize() {
    const { total } = this.options;
    const before = this.tall ?? 0;
    this.tall = total * ROW;
    if (before === this.tall && this.view) return;
    style(this.body, { height: `${this.tall}px` });
    style(this.grid, { "max-height": `${this.tall + HEAD + SCROLL_BAR}px` });
    this.grid.setAttribute("aria-rowcount", String(total + 1));
    if (!this.view || Math.min(before, this.tall) < innerHeight) this.look(); // the rows decide how much is in view
  }

  draw(fresh) {
    const { total, rowAt, need } = this.options;
    if (fresh) this.resize();
    const [seenFrom, seenTo] = this.visible();
    const ahead = fresh ? 1 : AHEAD; // a new order is seen at once; the rows beyond come when it is painted
    if (fresh) this.beyond();
    const from = Math.max(0, seenFrom - ahead);
    const to = Math.min(total, seenTo + ahead);
    for (const [index, { element }] of this.rows) {
      if (index < from || index >= to) {
        element.remove();
        this.rows.delete(index);
      }
    }
    let missing = null;
    for (let index = from; index < to; index += 1) {
      const row = rowAt(index);
      if (row === undefined) missing = missing ? [missing[0], index + 1] : [index, index + 1];
      this.drawRow(index, row);
    }
    this.fit();
    this.drawAllBox();
    if (missing) need(missing[0], missing[1]);
  }

  drawRow(index, row) {
    const known = this.rows.get(index);
    const chosen = row !== undefined && Boolean(this.options.selected?.has(this.options.key(row)));
    const marks = `${chosen}${index === this.active}`;
    if (known && known.row === row && known.marks === marks) return;
    if (known && known.row === row) {
      this.mark(known.element, chosen, index);
      known.marks = marks;
      return;
    }
    const cells = this.cells(row);
    const element = known?.element || this.addRow(index);
    if (known?.cells.length === cells.length) cells.forEach((cell, place) => redrawn(element.children[place], known.cells[place], cell));
    else put(element, cells.map(made));
    this.mark(element, chosen, index);
    this.rows.set(index, { element, row, marks, cells, cut: known?.cut || new Set(), isFitted: row === undefined });
  }

  addRow(index) {
    const element = h("div", { class: "vt-row", role: "row", id: `${this.id}-${index}`, "aria-rowindex": index + 2, dataset: { index } });
    this.body.append(style(element, { top: `${index * ROW}px` }));
    return element;
  }

  cells(row) {
    const { columns, selected, cell, rowLabel } = this.options;
    if (row === undefined) return [described("div", { class: "vt-cell vt-waits", role: "gridcell" }, described("i"))];
    const cells = columns.map((column) => described("div", { class: column.numeric ? "vt-cell vt-number" : "vt-cell", role: "gridcell" }, cell(row, column)));
    if (selected) cells.unshift(described("div", { class: "vt-cell vt-check", role: "gridcell" }, described("input", { type: "checkbox", tabIndex: -1, "aria-label": `Select ${rowLabel ? rowLabel(row) : this.options.key(row)}` })));
    return cells;
  }

  mark(element, chosen, index) {
    element.classList.toggle("active", index === this.active);
    element.classList.toggle("chosen", chosen);
    if (!this.options.selected) return;
    element.setAttribute("aria-selected", String(chosen));
    const box = element.querySelector("input");
    if (box) box.checked = chosen;
  }

  drawAllBox() {
    if (!this.allBox) return;
    const { selected, total } = this.options;
    this.allBox.checked = total > 0 && selected.size >= total;
    this.allBox.indeterminate = selected.size > 0 && selected.size < total;
  }

  fit() {
    const fresh = [...this.rows.values()].filter(({ isFitted }) => !isFitted);
    this.widths.fit(fresh, this.options.columns, this.options.selected ? 1 : 0);
    for (const one of fresh) one.isFitted = true;
  }

  // ---- moving

  focused() {
    if (this.active < 0 && this.options.total) this.move(this.visible()[0], false);
  }

  move(index, extend) {
    const { total } = this.options;
    if (!total) return;
    const target = Math.min(total - 1, Math.max(0, index));
    if (extend && this.options.selected) this.selectRange(this.anchor < 0 ? this.active : this.anchor, target);
    else this.anchor = target;
    this.active = target;
    this.grid.setAttribute("aria-activedescendant", `${this.id}-${target}`);
    this.scrollTo(target);
    this.draw(false);
  }

  scrollTo(index) {
    const top = index * ROW;
    if (top < this.view.top) this.scroll(top);
    else if (top + ROW > this.view.top + this.view.height) this.scroll(top + ROW - this.view.height);
  }

  scroll(top) {
    this.grid.scrollTop = top;
    this.look();
  }

  place() {
    const row = this.active < 0 ? undefined : this.options.rowAt(this.active);
    return { index: this.active, key: row && this.options.key(row), top: this.grid.scrollTop };
  }

  // Rows may have come before it since: then it is looked for among those that are known.
  goTo({ index, key, top }) {
    const { total, rowAt } = this.options;
    const isIt = (at) => rowAt(at) !== undefined && this.options.key(rowAt(at)) === key;
    let target = index;
    if (key !== undefined && !isIt(index)) for (let at = 0; at < total; at += 1) if (isIt(at)) target = at;
    this.scroll(top);
    if (target >= 0) this.move(target, false);
  }

  showFirst(index) {
    this.scroll(index * ROW);
    this.draw(false);
  }

  scrollBy(rows) {
    if (this.active >= 0) this.active += rows;
    if (this.anchor >= 0) this.anchor += rows;
    this.scroll(this.view.top + rows * ROW);
  }

  keyed(event) {
    if (event.target.closest(".vt-sort, a") && (event.key === "Enter" || event.key === " ")) return;
    const [from, to] = this.visible();
    const page = Math.max(1, to - from - 1);
    const moves = { ArrowDown: this.active + 1, ArrowUp: this.active - 1, PageDown: this.active + page, PageUp: this.active - page, Home: 0, End: this.options.total - 1 };
    if (event.key in moves && !event.altKey && !event.metaKey) this.move(moves[event.key], event.shiftKey);
    else if (event.key === " ") this.toggle(this.active);
    else if (event.key === "Enter") this.open(this.active);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey) && this.options.selected) this.selectAll(true);
    else if (event.key === "Escape" && this.options.selected?.size) this.selectAll(false);
    else return;
    event.preventDefault();
  }

  // ---- clicks

  clicked(event) {
    const element = event.target.closest(".vt-body .vt-row");
    if (!element || event.target.closest("a")) return;
    const index = Number(element.dataset.index);
    const onBox = Boolean(event.target.closest(".vt-check"));
    if (event.shiftKey && this.options.selected && this.active >= 0) {
      getSelection()?.removeAllRanges();
      this.move(index, true);
      return;
    }
    this.move(index, false);
    if (onBox || event.ctrlKey || event.metaKey) this.toggle(index);
  }

  doubleClicked(event) {
    const element = event.target.closest(".vt-body .vt-row");
    if (element && !event.target.closest("a, .vt-check")) this.open(Number(element.dataset.index));
  }

  open(index) {
    const row = index < 0 ? undefined : this.options.rowAt(index);
    if (row !== undefined) this.options.open?.(row);
  }

  sortClicked(column, second) {
    const { sort, onsort } = this.options;
    const firstDown = Boolean(column.numeric);
    const now = sort.find((key) => key.name === column.name);
    const next = !now ? { name: column.name, down: firstDown } : now.down === firstDown ? { name: column.name, down: !firstDown } : null;
    const others = second ? sort.filter((key) => key.name !== column.name) : [];
    onsort(next && second && now ? sort.map((key) => (key === now ? next : key)) : next ? [...others, next] : others);
  }

  // ---- selection

  toggle(index) {
    const { selected, rowAt, key, onselect } = this.options;
    const row = selected && index >= 0 ? rowAt(index) : undefined;
    if (row === undefined) return;
    const name = key(row);
    if (!selected.delete(name)) selected.add(name);
    this.draw(false);
    onselect?.();
  }

  async selectRange(one, other) {
    const { selected, onselect } = this.options;
    const keys = await this.keysOf(Math.max(0, Math.min(one, other)), Math.max(one, other) + 1);
    for (const key of keys) selected.add(key);
    this.draw(false);
    onselect?.();
  }

  async selectAll(on) {
    const { selected, onselect, total } = this.options;
    if (on) for (const key of await this.keysOf(0, total)) selected.add(key);
    else selected.clear();
    this.draw(false);
    onselect?.();
  }

  async keysOf(from, to) {
    const { rowAt, key, keys } = this.options;
    const known = [];
    for (let index = from; index < to; index += 1) {
      const row = rowAt(index);
      if (row === undefined) return keys ? keys(from, to) : known;
      known.push(key(row));
    }
    return known;
  }
}

function headOf(columns, sort) {
  return JSON.stringify([columns.map(({ name, label, title, numeric, sortable }) => [name, label, title, Boolean(numeric), sortable]), sort]);
}

function sameColumns(one, other) {
  return one.length === other.length && one.every((column, index) => column.name === other[index].name && column.label === other[index].label && Boolean(column.numeric) === Boolean(other[index].numeric));
}
