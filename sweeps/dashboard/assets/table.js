/**
 * A table of any number of rows: only those in view are elements, the rest is height. Rows come from `rowAt(index)`;
 * one that is not known yet is asked for with `need(from, to)` and shown as a bar until `refresh()`.
 * The whole table is one stop of the Tab key; arrows, Home, End, Page keys move in it, Space selects, Enter opens.
 */

import { add, freshId, h, oncePerFrame, put, style } from "./dom.js";

const ROW = 28;
const HEAD = 35; // the header with its lines
const SCROLL_BAR = 16;
const AHEAD = 8; // rows drawn beyond the view, so that a slow scroll shows no gap
const NARROWEST = 56;
const WIDEST = 340;
const pen = document.createElement("canvas").getContext("2d");

/**
 * Put a table into `host`. Options:
 * - `label`; `columns`: [{name, label, title, numeric, sortable, width}]; `total`; `rowAt(index)`; `need(from, to)`
 * - `cell(row, column)`: a node or text; `key(row)`: a text that stays with the row; `open(row)`: Enter or double click
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
    atTop: () => table.grid.scrollTop < ROW,
    active: () => table.active,
    focus: () => table.grid.focus({ preventScroll: true }),
    destroy: () => table.destroy(),
  };
}

class VirtualTable {
  constructor(host, options) {
    this.options = { total: 0, sort: [], columns: [], need: () => {}, ...options };
    this.active = -1;
    this.anchor = -1;
    this.rows = new Map(); // index -> {element, row, marks}
    this.widths = new Map(); // column name -> pixels
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
    this.later = oncePerFrame(() => this.draw(false));
    this.observer = new ResizeObserver(() => this.later());
    add(host, this.grid);
    this.observer.observe(this.grid);
    this.drawHead();
    this.draw(true);
  }

  update(changes) {
    const columns = this.options.columns;
    Object.assign(this.options, changes);
    if (changes.columns && !sameColumns(columns, changes.columns)) {
      this.widths.clear();
      this.forget();
    }
    if (changes.columns || changes.sort) this.drawHead();
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

  visible() {
    const height = this.grid.clientHeight - this.head.offsetHeight;
    const from = Math.max(0, Math.floor(this.grid.scrollTop / ROW));
    const to = Math.min(this.options.total, Math.ceil((this.grid.scrollTop + Math.max(height, ROW)) / ROW));
    return [from, to];
  }

  draw(fresh) {
    const { total, rowAt, need } = this.options;
    if (fresh) {
      style(this.body, { height: `${total * ROW}px` });
      style(this.grid, { "max-height": `${total * ROW + HEAD + SCROLL_BAR}px` });
      this.grid.setAttribute("aria-rowcount", String(total + 1));
    }
    const [seenFrom, seenTo] = this.visible();
    const ahead = fresh ? 1 : AHEAD; // a new order is seen at once; the rows beyond come with the next frame
    if (fresh) this.later();
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
    const element = h("div", { class: "vt-row", role: "row", id: `${this.id}-${index}`, "aria-rowindex": index + 2, dataset: { index } }, this.cells(row, chosen));
    style(element, { transform: `translateY(${index * ROW}px)` });
    this.mark(element, chosen, index);
    if (known) known.element.replaceWith(element);
    else this.body.append(element);
    this.rows.set(index, { element, row, marks });
  }

  cells(row, chosen) {
    const { columns, selected, cell, rowLabel } = this.options;
    if (row === undefined) return h("div", { class: "vt-cell vt-waits", role: "gridcell" }, h("i", null));
    const cells = columns.map((column) => h("div", { class: column.numeric ? "vt-cell vt-number" : "vt-cell", role: "gridcell" }, cell(row, column)));
    if (selected) cells.unshift(h("div", { class: "vt-cell vt-check", role: "gridcell" }, h("input", { type: "checkbox", tabIndex: -1, checked: chosen, "aria-label": `Select ${rowLabel ? rowLabel(row) : this.options.key(row)}` })));
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

  // Columns are as wide as what they showed first, and grow with what comes, so nothing jumps to the left.
  fit() {
    const { columns, selected } = this.options;
    const computed = getComputedStyle(this.grid);
    const font = `${computed.fontSize} ${computed.fontFamily}`;
    let grown = false;
    const shift = selected ? 1 : 0;
    columns.forEach((column, place) => {
      let width = this.widths.get(column.name) || 0;
      const known = width;
      if (column.width) width = column.width;
      else {
        pen.font = `600 ${font}`;
        if (!width) width = pen.measureText(column.label).width + 46;
        pen.font = font;
        for (const { element, row } of this.rows.values()) {
          if (row === undefined || element.dataset.fitted) continue;
          const cell = element.children[place + shift];
          width = Math.max(width, pen.measureText(cell.textContent).width + (cell.querySelector(".dot") ? 40 : 24));
        }
        width = Math.ceil(Math.min(WIDEST, Math.max(NARROWEST, width)));
      }
      if (width !== known) {
        this.widths.set(column.name, width);
        grown = true;
      }
    });
    for (const { element, row } of this.rows.values()) if (row !== undefined) element.dataset.fitted = "1";
    if (!grown) return;
    const tracks = columns.map((column, place) => (place === columns.length - 1 ? `minmax(${this.widths.get(column.name)}px, 1fr)` : `${this.widths.get(column.name)}px`));
    const whole = columns.reduce((sum, column) => sum + this.widths.get(column.name), selected ? 36 : 0);
    style(this.grid, { "--columns": `${selected ? "36px " : ""}${tracks.join(" ")}`, "--whole": `${whole}px` });
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
    const height = this.grid.clientHeight - this.head.offsetHeight;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + ROW > this.grid.scrollTop + height) this.grid.scrollTop = top + ROW - height;
  }

  showFirst(index) {
    this.grid.scrollTop = index * ROW;
    this.draw(false);
  }

  scrollBy(rows) {
    if (this.active >= 0) this.active += rows;
    if (this.anchor >= 0) this.anchor += rows;
    this.grid.scrollTop += rows * ROW;
  }

  keyed(event) {
    if (event.target.closest(".vt-sort") && (event.key === "Enter" || event.key === " ")) return;
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

function sameColumns(one, other) {
  return one.length === other.length && one.every((column, index) => column.name === other[index].name && column.label === other[index].label);
}
