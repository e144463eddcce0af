"""What a screen reader has of every page: names of controls, captions of tables, words for charts, and quiet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aria import NAMELESS, WRONG
from filled_stores import RATE, FilledStore, run_id, write_run
from logging_run import Logger
from told import NAME, Told

SCROLL = "() => { for (const part of document.querySelectorAll('main section, main .chart-place')) part.scrollIntoView(); }"
TOLD = "() => [...document.querySelectorAll('main .chart-stage')].every((one) => /[0-9]/.test(one.ariaLabel))"
LISTEN = """() => {
  window.readOut = [];
  const isLive = (element) => {
    const region = element?.closest("[aria-live], [role=status], [role=alert], [role=log], output");
    return region && region.getAttribute("aria-live") !== "off" ? region : null;
  };
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      const region = isLive(target.nodeType === 1 ? target : target.parentElement);
      if (region && region.textContent) window.readOut.push(region.textContent);
    }
  }).observe(document.body, { childList: true, characterData: true, subtree: true });
}"""

WATCH = f"""
window.wrong = new Set();
window.looks = 0;
new MutationObserver(() => {{
  window.looks += 1;
  for (const words of ({WRONG})()) if (!words.endsWith(" headings of the first level")) window.wrong.add(words);
}}).observe(document, {{ attributes: true, childList: true, subtree: true }});
"""


def addresses(store: FilledStore) -> list[str]:
    some = "&".join(f"run={run_id(number)}" for number in range(1, min(20, store.runs) + 1))
    return [
        "runs",
        "runs?seeds=1",
        f"run/{run_id(1)}",
        f"compare?{some}",
        "compare?all=1",
        "sweeps",
        f"sweep/{store.sweep}",
        "models",
        f"model/{store.model}",
    ]


@pytest.mark.parametrize("runs", [3, 60])
def test_controls_have_names_tables_captions_and_charts_words(
    runs: int, filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, store = filled(runs)
    page = visit(served)
    for address in addresses(store):
        page.open(address)
        page.page.evaluate(SCROLL)
        page.page.wait_for_function(TOLD)  # a chart that comes later has its name, and is not waited for
        assert NAMELESS.findall(page.find("body").aria_snapshot()) == [], address
        assert page.page.evaluate(WRONG) == [], address


@pytest.mark.parametrize("runs", [3, 60])
def test_nothing_is_on_a_page_before_it_has_its_words(
    runs: int, filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, store = filled(runs)
    page = visit(served)
    page.page.add_init_script(WATCH)
    for address in addresses(store):
        page.open(address)
        page.page.evaluate(SCROLL)
        page.page.evaluate(
            "() => new Promise((kept) => requestAnimationFrame(() => requestAnimationFrame(kept)))"
        )
        assert page.page.evaluate("[...wrong]") == [], address
        assert page.page.evaluate("looks") > 0, address


def test_a_chart_opens_as_a_table_with_what_its_hints_say(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, store = filled(60)
    page = visit(served).open(f"sweep/{store.sweep}")
    part = page.find("[data-section=parallel]")
    part.scroll_into_view_if_needed()
    part.locator("details.chart-table > summary").click()
    rows = part.locator(".chart-table tbody tr")
    rows.nth(59).wait_for()
    assert rows.count() == 60
    first = rows.first.inner_text()
    assert "val_auc 0.8" in first
    assert f"{RATE.split('.')[-1]} = " in first
    page.open(f"run/{run_id(1)}")
    chart = page.find("section[aria-label=val_auc] .chart-table")
    chart.locator("summary").click()
    chart.locator("tbody th").filter(has_text=run_id(1)).wait_for()
    assert chart.locator("tbody tr").count() == 1
    assert chart.locator("tbody td").first.inner_text() == "6"


def test_what_comes_by_itself_is_not_read_out(
    serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    store = tmp_path / "experiments"
    told = Told(store, total=9)
    told.begin()
    told.job(0, 0.61)
    served = serve(store)
    pages = {name: visit(served).open(name) for name in ("runs", "sweeps", f"sweep/{NAME}")}
    logger = Logger(store, tmp_path)
    logger.tell("log 0 2")
    pages["run"] = visit(served).open(f"run/{logger.run}")
    pages["runs"].find(".vt-body .vt-row").filter(has_text=logger.run).wait_for()
    for page in pages.values():
        page.page.evaluate(LISTEN)
    logger.tell("log 2 30")
    logger.tell("print a line")
    pages["run"].find(".curve-plot[data-points='30']").first.wait_for()
    for number in range(50, 53):
        write_run(store, number)
        pages["runs"].find(".vt-body .vt-row").filter(has_text=run_id(number)).wait_for()
    told.job(1, 0.72, from_s=2.0, to_s=4.0)
    pages["sweeps"].find("main").get_by_text("0.72").first.wait_for()
    pages[f"sweep/{NAME}"].find(".sweep-headline").get_by_text("0.72").first.wait_for()
    assert {name: page.page.evaluate("readOut") for name, page in pages.items()} == {
        name: [] for name in pages
    }
    logger.end()
