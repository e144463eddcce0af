/** Asking again for what a page shows while it goes on: seldom enough for the server, and never blanking what is drawn. */

/**
 * Return `{ask(), stop()}`: `ask` loads with `load(signal)` and hands the answer to `draw`, at most once per `pause` ms and one
 * at a time; what is asked meanwhile is asked once, afterwards. What fails is left to the next time.
 */
export function refetching(load, draw, pause = 1000) {
  let [busy, wanted, stopped, timer, last] = [false, false, false, 0, 0];
  const controller = new AbortController();
  const run = async () => {
    timer = 0;
    [busy, wanted, last] = [true, false, Date.now()];
    try {
      const answer = await load(controller.signal);
      if (!stopped) draw(answer);
    } catch (error) {
      if (!error.kind && error.name !== "AbortError") console.error(error); // a fault of the page itself
    }
    busy = false;
    if (wanted && !stopped) plan();
  };
  const plan = () => {
    timer ||= setTimeout(run, Math.max(0, last + pause - Date.now()));
  };
  return {
    ask() {
      if (stopped) return;
      wanted = true;
      if (!busy) plan();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      controller.abort();
    },
  };
}

/** Call `work` every `ms` while the page can be seen; return how to stop. */
export function everySeen(ms, work) {
  const timer = setInterval(() => document.hidden || work(), ms);
  return () => clearInterval(timer);
}
