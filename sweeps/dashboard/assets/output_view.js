/** What a run printed, followed while it runs: the view stays at the end unless one scrolls up. */

import { h, put } from "./dom.js";
import { getJson, pathOf } from "./api.js";
import { button, toggle } from "./controls.js";
import { bytes } from "./format.js";
import { watch } from "./live.js";
import { failedState } from "./states.js";

const CHUNK = 64 * 1024;
const MOST = 2_000_000; // characters on the page: beyond, the oldest go
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Show the output of `run` (its facts) in `host`. Returns {ended(), leave()}: with `ended` nothing more is waited for. */
export function outputView(host, context, run) {
  const view = new OutputView(host, context, run);
  view.start();
  return { ended: () => view.ended(), leave: () => view.leave() };
}

/** Return a text as a terminal would have left it: no colours, and of a line that was overwritten (a progress bar) the last state. */
export function printed(text) {
  return text
    .replace(ESCAPES, "")
    .replace(/\r+\n/g, "\n")
    .split("\n")
    .map((line) => (line.includes("\r") ? line.replace(/\r+$/, "").slice(line.replace(/\r+$/, "").lastIndexOf("\r") + 1) : line))
    .join("\n")
    .replace(CONTROLS, "");
}

class OutputView {
  constructor(host, context, run) {
    Object.assign(this, { host, context, id: run.run_id, live: run.status === "running", size: run.output_size });
    this.path = context.api(pathOf("run", run.run_id, "output"));
    this.start_ = 0;
    this.rest = ""; // the last line, which may go on
    this.stopWatching = () => {};
  }

  async start() {
    this.rows = h("span", null);
    this.tail = h("span", null);
    this.box = h("pre", { class: this.live ? "block output live" : "block output", tabIndex: 0, role: "log", "aria-label": "Output of the run", "aria-live": "off" }, this.rows, this.tail);
    this.down = button("Jump to the end", () => this.toEnd(), { kind: "small" });
    this.down.hidden = true;
    this.earlier = button("Show earlier lines", () => this.showEarlier(), { kind: "small" });
    this.earlier.hidden = true;
    this.state = h("span", { class: "hint" });
    put(this.host, h("div", { class: "bar" }, this.state, this.earlier, this.down, toggle("Wrap lines", false, (on) => this.box.classList.toggle("wrapped", on))), this.box);
    this.box.addEventListener("scroll", () => (this.down.hidden = this.atEnd()));
    try {
      const answer = await getJson(this.path, { start: Math.max(0, this.size - CHUNK), most: CHUNK });
      if (this.left) return;
      this.start_ = answer.start;
      this.take(answer.text, true);
      this.earlier.hidden = answer.start <= 0;
      this.size = answer.size;
      this.say();
      if (this.live) this.follow(answer.end);
    } catch (error) {
      if (!this.left) put(this.host, error.kind === "missing" && this.live ? h("p", { class: "hint" }, "Nothing was printed yet.") : failedState(error, () => this.start()));
    }
  }

  follow(end) {
    this.stopWatching = watch({ store: this.context.store, output: { [this.id]: end } }, { output: ({ text, end: now, whole }) => {
      if (whole) {
        this.rows.replaceChildren();
        this.rest = "";
        this.start_ = Math.max(0, now - new TextEncoder().encode(text).length);
      }
      this.size = now;
      this.take(text, this.atEnd());
      this.say();
    } });
  }

  take(text, stick) {
    const whole = this.rest + text;
    const cut = whole.lastIndexOf("\n") + 1;
    if (cut) this.rows.append(printed(whole.slice(0, cut)));
    this.rest = whole.slice(cut);
    if (this.rest.length > CHUNK) this.rest = this.rest.slice(this.rest.lastIndexOf("\r") + 1); // a progress bar never ends its line
    this.tail.textContent = printed(this.rest);
    while (this.rows.childNodes.length > 1 && this.rows.textContent.length > MOST) this.rows.firstChild.remove();
    if (stick) this.toEnd();
    this.down.hidden = this.atEnd();
  }

  async showEarlier() {
    const from = Math.max(0, this.start_ - CHUNK);
    this.earlier.disabled = true;
    try {
      const answer = await getJson(this.path, { start: from, most: this.start_ - from });
      const height = this.box.scrollHeight;
      this.rows.prepend(printed(answer.text));
      this.start_ = answer.start;
      this.earlier.hidden = answer.start <= 0;
      this.box.scrollTop += this.box.scrollHeight - height;
    } catch {
      // the button stays, to be pressed again
    }
    this.earlier.disabled = false;
  }

  say() {
    this.state.textContent = `${bytes(this.size)}${this.live ? ", following" : ""}`;
  }

  atEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 24;
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
    this.down.hidden = true;
  }

  ended() {
    this.live = false;
    this.say();
  }

  leave() {
    this.left = true;
    this.stopWatching();
  }
}
