"""Pages of the dashboard on paper: whole, light and as wide as a page, also what was never scrolled to."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from filled_stores import SWEEP, auc, run_id

RUNS, MANY = 60, 10_000
PAGES = {
    f"sweep/{SWEEP}": {
        "Best so far",
        "Learning curves",
        "Slots over time",
        "Settings and results",
        "Result by setting",
    },
    f"run/{run_id(1)}": {"val_auc", "train_loss"},
    "compare?all=1": {"val_auc", "train_loss", "Parameters and result", "Result against one parameter"},
}
DRAWN = """() => [...document.querySelectorAll("main section")].filter((section) => {
  const isPainted = (canvas) => {
    const { width, height } = canvas;
    return width && height && canvas.getContext("2d").getImageData(0, 0, width, height).data.some((part) => part);
  };
  const isDrawn = [...section.querySelectorAll("canvas")].some(isPainted) || section.querySelector(".chart-svg path");
  return !section.querySelector("section") && isDrawn;
}).map((section) => section.querySelector("h2, h3").textContent)"""
COLOURS = (
    "() => [getComputedStyle(document.documentElement).colorScheme, document.documentElement.dataset.theme]"
)


def drawn(page: Any) -> set[str]:
    """Return the heads of the sections whose charts hold something."""
    return set(page.page.evaluate(DRAWN))


def await_drawn(page: Any, heads: set[str]) -> None:
    """Wait until the charts of sections with these heads hold something."""
    page.page.wait_for_function(
        f"(heads) => heads.every((head) => ({DRAWN})().includes(head))", arg=sorted(heads)
    )


def print_it(page: Any) -> int:
    """Print a page as a browser does; return the number of its sheets."""
    return len(re.findall(rb"/Type\s*/Page\b", page.page.pdf(format="A4")))


@pytest.mark.parametrize("way", ["print", "media"])
@pytest.mark.parametrize("address", PAGES)
def test_what_was_never_scrolled_to_is_printed(
    address: str, way: str, filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    low = {"width": 1280, "height": 300}
    page = visit(filled(RUNS)[0], viewport=low, color_scheme="dark")
    page.allow("willReadFrequently")  # this test reads what is painted
    page.open(address)
    if address.startswith("sweep/"):
        page.find("[data-section=curves]:not([hidden])").wait_for()  # they are read after the sweep itself
    if not address.startswith("run/"):
        assert not drawn(page) >= PAGES[address]
    if way == "print":
        assert 1 < print_it(page) < 12
    else:
        page.page.emulate_media(media="print")
        page.page.wait_for_function(f"() => matchMedia('print').matches && ({DRAWN})().length")
        assert page.page.evaluate(COLOURS) == ["light", "light"]
    # back on the screen, charts are drawn once more in its size; out of sight, none is unless it was for the paper
    await_drawn(page, PAGES[address])
    for section in page.find("main section:not([hidden])").all():
        assert section.inner_text().strip() or section.locator("img, canvas").count()


@pytest.mark.parametrize("address", ["compare?all=1", f"sweep/{SWEEP}"])
def test_what_decides_is_printed_though_nobody_asked_for_it_before(
    address: str, filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(RUNS)[0], viewport={"width": 1280, "height": 300}).open(address)
    if address.startswith("compare"):
        page.find("h2").filter(has_text="What decides the result").wait_for()
    bars = ".bars tbody tr"
    page.page.evaluate(
        f"addEventListener('beforeprint', () => {{ window.bars = document.querySelectorAll({bars!r}).length }})"
    )
    print_it(page)
    assert page.page.evaluate("bars") > 1


@pytest.mark.parametrize("way", ["print", "media"])
def test_the_table_of_runs_prints_the_rows_that_are_out_of_view(
    way: str, filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(RUNS)[0], viewport={"width": 1280, "height": 500})
    page.open("runs?filter=seed+%3E%3D+0&sort=-val_auc")
    page.find("[role=grid]").evaluate("grid => { grid.scrollTop = 300 }")
    if way == "print":
        page.page.evaluate(
            "addEventListener('beforeprint', () => { window.words = document.querySelector('main').innerText })"
        )
        assert 1 < print_it(page) < 5
        words = page.page.evaluate("words")
        assert page.find("[role=grid]").evaluate("grid => grid.scrollTop") == 300
    else:
        page.page.emulate_media(media="print")
        page.find(".runs-paper tbody tr").first.wait_for()
        words = page.find("main").inner_text()
    assert "Filter: seed >= 0. By val_auc ↓." in words
    places = [words.index(run_id(number)) for number in sorted(range(1, RUNS + 1), key=auc, reverse=True)]
    assert places == sorted(places)
    assert "not printed" not in words


def test_of_many_runs_the_first_are_printed_and_the_others_counted(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(MANY)[0]).open("runs")
    page.page.emulate_media(media="print")
    page.find(".runs-paper").filter(
        has_text="the first 200 of 10,000 runs; 9,800 more are not printed"
    ).wait_for()
    names = page.find(".runs-paper tbody th").all_inner_texts()
    assert names == [run_id(number) for number in range(MANY, MANY - 200, -1)]
    page.page.emulate_media(media="screen")
    page.find("[role=grid] .vt-body .vt-row").first.wait_for()
    assert page.find(".runs-paper tr").count() == 0


def test_after_printing_the_page_is_as_it_was(filled: Callable[..., Any], visit: Callable[..., Any]) -> None:
    page = visit(filled(RUNS)[0], color_scheme="dark").open("compare?all=1")
    page.find(".side-by-side table").wait_for()
    print_it(page)
    assert page.page.evaluate(COLOURS) == ["dark", None]
    assert page.find(".side-by-side table").count() == 1
    page.open(f"sweep/{SWEEP}")
    print_it(page)
    assert page.find("[data-section=leaderboard] [role=grid]").is_visible()
    assert page.find("[data-section=leaderboard] table").count() == 0


def test_a_wide_table_and_a_long_one_are_whole_on_paper(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(RUNS)[0], viewport={"width": 720, "height": 900}).open("compare?all=1")
    page.page.emulate_media(media="print")
    heads = page.find(".side-by-side thead a")
    page.find(".side-by-side table").nth(8).wait_for()
    assert len(set(heads.all_inner_texts())) == 50
    assert not page.too_wide()
    page.page.emulate_media(media="screen")
    page.open(f"sweep/{SWEEP}")
    page.page.emulate_media(media="print")
    page.find("[data-section=leaderboard] table").wait_for()
    assert page.find("[data-section=leaderboard] tbody tr").count() == 50
    assert not page.too_wide()
