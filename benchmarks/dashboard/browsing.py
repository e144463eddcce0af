"""A browser without a window, and what it takes to see something: every time ends with the frame that shows it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import DriverError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = {"width": 1400, "height": 900}

# `painted` resolves after the next frame; `drawn` when `done()` is true and painted; `readyAt` is when the page said that it is drawn.
WATCH = """
window.painted = () => new Promise((resolve) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => resolve(performance.now());
  channel.port2.postMessage(0);
}));
window.drawn = async (done) => {
  while (!done()) await new Promise((resolve) => requestAnimationFrame(resolve));
  return painted();
};
window.changed = (node, name) => new Promise((resolve) => {
  const watcher = new MutationObserver(() => { watcher.disconnect(); resolve(); });
  watcher.observe(node, { attributes: true, attributeFilter: [name] });
});
new MutationObserver(async (_, watcher) => {
  if (!document.documentElement.dataset.ready) return;
  watcher.disconnect();
  window.readyAt = await painted();
}).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-ready"] });
"""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
FILTER = """async (words) => {
  const field = document.querySelector("input[aria-label='Filter of runs']");
  const shown = changed(document.querySelector(".runs-place"), "data-shown");
  const began = performance.now();
  field.value = words;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await shown;
  return (await painted()) - began;
}"""
SORT = """async (name) => {
  const head = [...document.querySelectorAll("[role=columnheader]")].find((one) => one.textContent.startsWith(name));
  const shown = changed(document.querySelector(".runs-place"), "data-shown");
  const began = performance.now();
  head.querySelector("button").click();
  await shown;
  return (await painted()) - began;
}"""
COMPARE = """async (address) => {
  performance.clearResourceTimings();
  const began = performance.now();
  location.hash = address;
  const end = await drawn(() => document.querySelector(".curve-plot[data-points] canvas"));
  const there = performance.getEntriesByType("resource").filter((one) => one.name.includes("/curves?")).at(-1).responseEnd;
  return [end - began, end - there, Number(document.querySelector(".curve-plot").dataset.points)];
}"""
SEE = """() => {
  window.seen = {};
  const plot = document.querySelector(".curve-plot");
  new MutationObserver(async () => {
    const points = plot.dataset.points;
    await painted();
    window.seen[points] ??= Date.now();
  }).observe(plot, { attributes: true, attributeFilter: ["data-points"] });
}"""


@contextmanager
def browser() -> "Iterator[Browser]":
    """Start the browser of this machine; raise DriverError where there is none."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise DriverError(f"skipped: needs a browser, one of {', '.join(BROWSERS)}")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise DriverError("skipped: needs playwright") from None
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[*OPTIONS])
        yield started
        started.close()


@contextmanager
def page(browser: "Browser", **options: Any) -> "Iterator[Page]":
    """Open a page with an empty cache."""
    context = browser.new_context(**{"viewport": SIZE, **options})
    context.add_init_script(WATCH)
    yield context.new_page()
    context.close()


def ready(page: "Page", name: str) -> None:
    """Wait until a view says that it is drawn."""
    page.locator(f"html[data-ready={name}]").wait_for(state="attached")
