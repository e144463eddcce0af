/** A filter while it is typed: each key is a question, one at a time, and half a filter does not blank the table. */

const EMPTY_MS = 250; // without a key, after which a filter that no run passes shows so

/** `asked()` is the filter that was asked for last; `ask(text, typed)` asks for another one and is a promise of its end, false when the page has been left. */
export class TypedFilter {
  constructor(asked, ask) {
    this.asked = asked;
    this.ask = ask;
    this.goesOn = false; // the last question was typed
  }

  /** Ask what stands in the field after a key; the last text counts. */
  async typed(text) {
    this.wanted = text;
    if (text === this.asked()) return;
    this.decide?.(false);
    if (this.asks) return;
    this.asks = true;
    while (this.wanted !== this.asked() && (await this.ask(this.wanted, true)) !== false);
    this.asks = false;
  }

  /** Ask what stands in the field at Enter. */
  applied(text) {
    this.wanted = text;
    this.goesOn = false;
    this.decide?.(text === this.asked());
    if (text !== this.asked()) this.ask(text, false);
  }

  /** Tell whether to show an answer: `lr < 0` of `lr < 0.1` has no rows for the moment until the next key. */
  shows(answer) {
    if (answer.matching || !this.goesOn) return true;
    if (this.wanted !== this.asked()) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, EMPTY_MS, true);
      this.decide = (now) => {
        clearTimeout(timer);
        resolve(now);
      };
    });
  }

  /** Tell whether a question follows another one that was typed: the way back leads to what was before both. */
  follows(typed) {
    const before = this.goesOn;
    this.goesOn = typed;
    return typed && before;
  }
}
