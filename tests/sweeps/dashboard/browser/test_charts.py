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


def picked(page: Any) -> int:
    """Return how many jobs the ranges leave."""
    words = page.find("[data-section=parallel] .chart-note").inner_text()
    found = re.match(r"(\d+) of 60 jobs picked", words)
    return int(found[1]) if found else RUNS


def test_a_range_on_an_axis_picks_jobs_in_the_leaderboard_too(sweep: Any) -> None:
    area = axis(sweep, RATE).locator(".brush-area")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
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
