"""Pages of the dashboard on paper: whole, light and as wide as a page, also what was never scrolled to."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from filled_stores import SWEEP, run_id

RUNS = 60
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
    assert drawn(page) >= PAGES[address]
    for section in page.find("main section:not([hidden])").all():
        assert section.inner_text().strip() or section.locator("img, canvas").count()


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
