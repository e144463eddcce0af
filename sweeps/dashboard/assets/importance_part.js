/** What decides the result of compared runs. It takes the server seconds, so it is asked for when somebody sees it, or prints the page. */

import { h, put, whenVisible } from "./dom.js";
import { getJson, getJsonNow } from "./api.js";
import { importanceChart } from "./bars_chart.js";
import { isPaper, onPaper } from "./paper.js";
import { failedState, loaded } from "./states.js";

/**
 * Draw importance into `host`, and into `hint` of what it tells. `question()`: `{path, query, words, noun}`, what to ask now.
 * Returns {again(): ask anew if it has been asked, leave()}.
 */
export function importancePart(host, hint, context, question) {
  const holder = h("div", null, h("p", { class: "hint" }, "Growing a forest over the runs; this takes a few seconds…"));
  put(host, holder);
  let [reading, isDrawn] = [null, false];
  const draw = ({ importance }, noun) => {
    isDrawn = true;
    put(holder);
    importanceChart(holder, importance, { noun });
  };
  const read = () => {
    const { path, query, words, noun } = question();
    put(hint, words);
    reading?.stop();
    isDrawn = false;
    if (!isPaper()) reading = loaded(holder, (signal) => getJson(context.api(path), query, signal), (answer) => draw(answer, noun));
    else {
      try {
        draw(getJsonNow(context.api(path), query), noun);
      } catch (error) {
        put(holder, failedState(error, read));
      }
    }
  };
  let isAsked = false;
  const stopWaiting = whenVisible(holder, () => {
    isAsked = true;
    read();
  });
  const stopPaper = onPaper((on) => on && isAsked && !isDrawn && read());
  return {
    again: () => isAsked && read(),
    leave() {
      stopWaiting();
      stopPaper();
      reading?.stop();
    },
  };
}
