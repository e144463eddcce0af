/** Rows of the table of runs, a window at a time: asked for where one looks, kept until the question or the store changes. */

const WINDOW = 100;
const MOST = 5000; // rows of one answer

/** The rows of one question. `ask(query, signal)` is a promise of the server's table; `changed()` is called when more is known. */
export class RunRows {
  constructor(ask, changed) {
    this.ask = ask;
    this.changed = changed;
    this.query = {};
    this.forget();
    this.total = 0;
    this.matching = 0;
    this.version = null;
    this.columns = [];
    this.leftOut = [];
    this.warnings = []; // of names in the filter that no run has
  }

  forget() {
    for (const controller of this.waiting?.values() || []) controller.abort();
    this.rows = [];
    this.windows = new Set();
    this.waiting = new Map(); // window -> AbortController
  }

  /**
   * Ask anew; what is shown stays until the answer is here. `around` is the row that is wanted first. Returns the answer, null when
   * a newer question came or `shows(answer)`, a promise, is not true.
   */
  async load(query, around = 0, shows = null) {
    this.loading?.abort();
    const mine = new AbortController();
    this.loading = mine;
    const first = Math.floor(around / WINDOW);
    let answer;
    try {
      answer = await this.ask({ ...query, offset: first * WINDOW, limit: WINDOW }, mine.signal);
    } finally {
      if (this.loading === mine) this.loading = null;
    }
    if (shows && !(await shows(answer))) return null;
    if (mine.signal.aborted) return null;
    this.query = query;
    this.forget();
    this.take(answer);
    return answer;
  }

  /** Ask for the rows of a range that are not known; earlier wishes that are out of sight now are dropped. */
  need(from, to) {
    const wanted = new Set();
    for (let place = Math.floor(from / WINDOW); place * WINDOW < to; place += 1) wanted.add(place);
    for (const [place, controller] of this.waiting) {
      if (!wanted.has(place)) {
        controller.abort();
        this.waiting.delete(place);
      }
    }
    return Promise.all([...wanted].map((place) => this.fetchWindow(place)));
  }

  async fetchWindow(place) {
    if (this.windows.has(place) || this.waiting.has(place)) return;
    const controller = new AbortController();
    this.waiting.set(place, controller);
    try {
      const answer = await this.ask({ ...this.query, offset: place * WINDOW, limit: WINDOW }, controller.signal);
      if (controller.signal.aborted) return;
      this.take(answer);
      this.changed();
    } catch (error) {
      if (!error.kind && error.name !== "AbortError") throw error; // a server that is gone: the page says so, and asks again when it is back
    } finally {
      if (this.waiting.get(place) === controller) this.waiting.delete(place);
    }
  }

  take(answer) {
    Object.assign(this, { total: answer.total, matching: answer.matching, version: answer.version, columns: answer.columns, leftOut: answer.left_out || [], warnings: answer.warnings || [] });
    rowsOf(answer).forEach((row, index) => (this.rows[answer.offset + index] = row));
    for (let at = answer.offset; at < answer.offset + Math.max(1, answer.run_ids.length); at += WINDOW) this.windows.add(Math.floor(at / WINDOW));
  }

  rowAt(index) {
    return this.rows[index];
  }

  /** Return the first rows at once; what is not known is asked for with `askNow(query)`, which returns the server's table. */
  firstNow(most, askNow) {
    const wanted = Math.min(most, this.matching);
    const known = Array.from({ length: wanted }, (_, index) => this.rows[index]);
    const gap = known.indexOf(undefined);
    if (gap < 0) return known;
    try {
      return rowsOf(askNow({ ...this.query, columns: this.columns.map((column) => column.name), offset: 0, limit: wanted }));
    } catch {
      return known.slice(0, gap); // the server is gone
    }
  }

  /** Return the rows of a range, known or not. */
  async range(from, to) {
    const found = [];
    for (let at = from; at < to; at += MOST) {
      const answer = await this.ask({ ...this.query, offset: at, limit: Math.min(MOST, to - at) });
      found.push(...rowsOf(answer));
      if (!answer.run_ids.length) break;
    }
    return found;
  }
}

function rowsOf(answer) {
  return answer.run_ids.map((id, index) => ({
    id,
    members: answer.groups ? answer.groups[index].run_ids : [id],
    value: (column) => answer.values[column][index],
  }));
}
