"""Charts as one uses them: hiding a curve, more curves, picking a range by mouse or keys, points that lead to runs."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from filled_stores import RATE, SWEEP, run_id

RUNS = 60


@pytest.fixture
def sweep(filled: Callable[..., Any], visit: Callable[..., Any]) -> Any:
    """The page of a sweep of 60 jobs, at its parallel coordinates."""
    page = visit(filled(RUNS)[0]).open(f"sweep/{SWEEP}")
    page.find("[data-section=parallel]").scroll_into_view_if_needed()
    page.find("[data-section=parallel] .brush").first.wait_for()
    return page


def axis(page: Any, key: str) -> Any:
    return page.find(f"[data-section=parallel] .brush[data-key='{key}']")


def place_of(page: Any, key: str) -> dict[str, float]:
    """Return where an axis is, in view; it may be drawn anew at any moment."""
    found: dict[str, float] = page.page.evaluate(
        """(key) => {
          const area = document.querySelector(`[data-section=parallel] .brush[data-key='${key}'] .brush-area`);
          area.scrollIntoView({ block: "center", behavior: "instant" });
          const { x, y, width, height } = area.getBoundingClientRect();
          return { x, y, width, height };
        }""",
        key,
    )
    return found


def picked(page: Any) -> int:
    """Return how many jobs the ranges leave."""
    words = page.find("[data-section=parallel] .chart-note").inner_text()
    found = re.match(r"(\d+) of 60 jobs picked", words)
    return int(found[1]) if found else RUNS


def test_a_range_on_an_axis_picks_jobs_in_the_leaderboard_too(sweep: Any) -> None:
    box = place_of(sweep, RATE)
    middle = box["x"] + box["width"] / 2
    sweep.page.mouse.move(middle, box["y"] + 20)
    sweep.page.mouse.down()
    sweep.page.mouse.move(middle, box["y"] + box["height"] * 0.4, steps=4)
    sweep.page.mouse.up()
    sweep.find("[data-section=parallel] .chart-note").filter(has_text="picked").wait_for()
    assert 0 < picked(sweep) < RUNS
    board = sweep.find("[data-section=leaderboard]")
    board.get_by_text(f"{picked(sweep)} picked jobs of {RUNS}").wait_for()
    assert board.locator("[role=grid]").get_attribute("aria-rowcount") == str(picked(sweep) + 1)
    sweep.find("[data-section=parallel] button").filter(has_text="clear the ranges").click()
    sweep.find(f"[data-section=leaderboard] [role=grid][aria-rowcount='{RUNS + 1}']").wait_for()


@pytest.mark.parametrize("beside", [0, 60], ids=["from an axis", "between two"])
def test_a_drag_is_no_click_on_a_line(sweep: Any, beside: float) -> None:
    box = place_of(sweep, RATE)
    x, mouse = box["x"] + box["width"] / 2 + beside, sweep.page.mouse
    for fraction in range(3, 10):  # one of these ends on a line
        y = box["y"] + box["height"] * fraction / 10
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + 50 - beside / 2, y - 20, steps=3)
        mouse.up()
        assert sweep.address == f"sweep/{SWEEP}"
    sweep.page.keyboard.press("Escape")
    for fraction in range(3, 10):
        mouse.click(x + 40, box["y"] + box["height"] * fraction / 10)
        if sweep.address.startswith("run/"):
            break
    assert sweep.address.startswith("run/")


def test_keys_alone_pick_a_range(sweep: Any) -> None:
    axis(sweep, RATE).focus()
    sweep.page.keyboard.press("ArrowUp")
    sweep.find("[data-section=parallel] .chart-note").filter(has_text="picked").wait_for()
    few = picked(sweep)
    assert axis(sweep, RATE).get_attribute("aria-valuetext") != "all"
    sweep.page.keyboard.press("Shift+ArrowUp")
    sweep.page.keyboard.press("Shift+ArrowUp")
    sweep.page.keyboard.press("Shift+ArrowUp")
    assert picked(sweep) >= few
    sweep.page.keyboard.press("Escape")
    sweep.find("[data-section=parallel] .chart-note").filter(has_text="Drag along an axis").wait_for()


def test_every_section_of_a_sweep_is_drawn_when_one_looks_at_it(sweep: Any) -> None:
    titles = sweep.find(".contents button")
    for place in range(titles.count()):
        titles.nth(place).click()
    for name in ("best", "timeline", "parallel", "slices", "importance"):
        chart = sweep.find(f"[data-section={name}] .chart").first
        chart.scroll_into_view_if_needed()
        chart.wait_for()
    sweep.find("[data-section=curves] canvas").first.wait_for()
    assert sweep.find("[data-section=failures]").get_by_text("the loss is not finite").first.is_visible()


def test_a_curve_is_hidden_by_its_name_and_more_are_drawn_when_asked(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(RUNS)[0]).open("compare?all=1")
    chart = page.find(".curve-plot").first
    chart.and_(page.find("[aria-label*='20 lines']")).wait_for()
    page.find(".legend-item").first.click()
    chart.and_(page.find("[aria-label*='19 lines']")).wait_for()
    page.find("button").filter(has_text="Draw 20 more").click()
    chart.and_(page.find("[aria-label*='39 lines']")).wait_for()


def test_metrics_are_chosen_for_a_comparison(filled: Callable[..., Any], visit: Callable[..., Any]) -> None:
    page = visit(filled(RUNS)[0]).open(f"compare?run={run_id(1)}&run={run_id(2)}")
    assert page.find(".curve-plot").count() == 2
    page.find("button").filter(has_text=re.compile("^Metrics$")).click()
    page.find(".pick-line").filter(has_text="train_loss").click()
    page.find(".curve-plot").nth(1).wait_for(state="detached")
    assert "metric=val_auc" in page.address


def test_what_differs_is_marked_and_the_rest_is_shown_when_asked(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(RUNS)[0]).open(f"compare?run={run_id(1)}&run={run_id(2)}&run={run_id(6)}")
    table = page.find(".side-by-side")
    table.get_by_text(RATE).first.wait_for()
    assert not table.get_by_text("training.epochs").count()
    assert table.locator("td.differs").count() > 0
    page.find("label").filter(has_text="Only differences").click()
    table.get_by_text("training.epochs").wait_for()
