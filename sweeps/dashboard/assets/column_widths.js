/** How wide the columns of a table are: as wide as what they showed first, and wider with what comes, so nothing jumps to the left. */

import { hasClass, wordsOf } from "./described.js";
import { style } from "./dom.js";

const NARROWEST = 56;
const WIDEST = 340;
const SIDES = 24; // beside a text
const DOT = 16; // and before it
const ARROW = 46; // beside the label of a head
const CHECK = 36;
const MOST_MEASURES = 20000; // texts whose widths are kept
const pen = document.createElement("canvas").getContext("2d");

/** The widths of the columns of one table, by their names. */
export class ColumnWidths {
  constructor(grid) {
    const { fontSize, fontFamily } = getComputedStyle(grid);
    this.grid = grid;
    this.font = `${fontSize} ${fontFamily}`;
    this.widths = new Map(); // column name -> pixels
    this.measures = new Map(); // text -> pixels
  }

  forget() {
    this.widths.clear();
  }

  /** Make room for rows that changed: {element, cells, cut: the places of clipped cells}. `shift` columns come before these. */
  fit(rows, columns, shift) {
    let grown = false;
    columns.forEach((column, place) => {
      const known = this.widths.get(column.name) || 0;
      const beside = rows.length && hasClass(rows[0].cells[place + shift], "dot") ? SIDES + DOT : SIDES;
      const needed = rows.map(({ cells }) => this.measured(wordsOf(cells[place + shift])) + beside);
      const widest = Math.max(known || this.measured(column.label, "600 ") + ARROW, ...needed);
      const width = column.width || Math.ceil(Math.min(WIDEST, Math.max(NARROWEST, widest)));
      rows.forEach((row, index) => cut(row, place + shift, needed[index] > width));
      if (width === known) return;
      this.widths.set(column.name, width);
      grown = true;
    });
    if (grown) this.apply(columns, shift);
  }

  apply(columns, shift) {
    const widths = columns.map((column) => `${this.widths.get(column.name)}px`);
    if (widths.length) widths.push(`minmax(${widths.pop()}, 1fr)`);
    const whole = columns.reduce((sum, column) => sum + this.widths.get(column.name), shift * CHECK);
    style(this.grid, { "--columns": `${`${CHECK}px `.repeat(shift)}${widths.join(" ")}`, "--whole": `${whole}px` });
  }

  measured(words, weight = "") {
    const key = weight + words;
    let width = this.measures.get(key);
    if (width === undefined) {
      const font = weight + this.font;
      if (this.penFont !== font) pen.font = this.penFont = font;
      width = pen.measureText(words).width;
      if (this.measures.size > MOST_MEASURES) this.measures.clear();
      this.measures.set(key, width);
    }
    return width;
  }
}

// A clip costs a frame as much as a row of text: only a cell that is wider than its column has one.
function cut({ element, cut }, place, isCut) {
  if (cut.has(place) === isCut) return;
  element.children[place].classList.toggle("vt-cut", isCut);
  if (isCut) cut.add(place);
  else cut.delete(place);
}
