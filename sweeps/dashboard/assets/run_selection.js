/** The runs that are selected in the table of a store, also by rows that stand for several; they stay selected while one looks at other pages. */

const kept = new Map(); // store -> Map: key of a row -> the runs it stands for

/** The selection of a store. `keys` is the Set that the table changes; `settle` after each change brings the rest up to it. */
export class RunSelection {
  constructor(store) {
    if (!kept.has(store)) kept.set(store, new Map());
    this.members = kept.get(store);
    this.keys = new Set(this.members.keys());
  }

  /** Return the ids of all selected runs. */
  runs() {
    return [...new Set([...this.members.values()].flat())];
  }

  /** Learn which runs some rows stand for, before their keys are selected. */
  learn(rows) {
    for (const row of rows) this.members.set(row.id, row.members);
  }

  /** Follow what the table did to `keys`; `rows` are those that are known. */
  settle(rows) {
    for (const key of [...this.members.keys()]) if (!this.keys.has(key)) this.members.delete(key);
    this.learn(rows.filter((row) => this.keys.has(row.id)));
  }

  /** Replace selected groups by their runs. With `grouped` rows clear the selection: the groups of single runs are not known here. */
  regroup(grouped) {
    const runs = grouped ? [] : this.runs();
    this.clear();
    this.learn(runs.map((id) => ({ id, members: [id] })));
    for (const id of runs) this.keys.add(id);
  }

  clear() {
    this.keys.clear();
    this.members.clear();
  }
}
