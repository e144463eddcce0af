"""What the page of a comparison selects by, what it makes of seeds, and how it says what it leaves out."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from filled_stores import run_id, write_run

RATES = (0.1, 0.01, 0.001)
SEEDS = (1, 2, 3)
ROW = "[role=grid][aria-label=Runs] .vt-body .vt-row"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of three learning rates with three seeds each; by the test set another one is the best."""
    store = tmp_path / "experiments"
    for number in range(9):
        rate, seed = RATES[number // 3], SEEDS[number % 3]
        value = 0.6 + 0.1 * (number // 3) + 0.01 * seed
        metrics = {"test_auc": [0.5, 1 - value], "val_auc": [0.5, value]}
        params = {"lr": rate, "seed": seed}
        write_run(store, number + 1, params=params, metrics=metrics, experiment_name="seeds")
    return store


def lines(page: Any, count: int) -> None:
    """Wait until the first chart has so many lines."""
    page.find(f".curve-plot[aria-label*=': {count} lines']").first.wait_for()


def test_groups_of_seeds_are_compared_as_bands(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(store)).open("runs?seeds=1")
    page.find(ROW).nth(2).wait_for()
    for place in range(2):
        page.find(f"{ROW} .vt-check").nth(place).click()
    page.find("button").filter(has_text="Compare 2 groups").click()
    page.wait("compare")
    lines(page, 2)
    assert "seeds=1" in page.address
    assert page.find(".legend").first.get_by_text("\N{MULTIPLICATION SIGN}3").count() == 2
    page.find("h1").filter(has_text="Compare 6 runs in 2 groups of seeds").wait_for()
    page.find("label").filter(has_text="Seeds as bands").click()
    lines(page, 6)
    assert "seeds" not in page.address


def test_all_groups_that_are_shown_are_compared_as_bands(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(store)).open("runs?seeds=1")
    page.find(ROW).nth(2).wait_for()
    page.find("button").filter(has_text="Compare all shown").click()
    page.wait("compare")
    lines(page, 3)


def test_bands_are_of_whole_groups_however_many_runs_pass(
    tmp_path: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    store = tmp_path / "experiments"
    for number in range(84):  # of 12 rates, whose seeds lie far apart in the order of results
        rate, seed = number % 12, number // 12
        metrics = {"val_auc": [0.5, 0.6 + 0.01 * ((rate * 5 + seed * 7) % 12)]}
        write_run(store, number + 1, params={"lr": rate + 1, "seed": seed}, metrics=metrics)
    page = visit(serve(store)).open("compare?all=1&filter=lr+%3C+12&seeds=1")
    lines(page, 8)
    legend = page.find(".legend").first
    assert legend.get_by_text("\N{MULTIPLICATION SIGN}7").count() == 8  # 56 runs: no group is drawn in part
    page.find("button").filter(has_text="Draw 14 more").click()
    lines(page, 10)
    page.find("button").filter(has_text="Draw 7 more").click()
    lines(page, 11)
    assert page.find(".legend").first.get_by_text("\N{MULTIPLICATION SIGN}7").count() == 11


def test_bands_are_offered_where_runs_are_compared_one_by_one(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(store)).open("compare?run=run_001&run=run_002&run=run_003&run=run_004")
    lines(page, 4)
    page.find("label").filter(has_text="Seeds as bands").click()
    lines(page, 2)


@pytest.mark.parametrize("address", ["compare?all=1", "compare?run=run_001&run=run_005&run=run_009"])
def test_the_test_set_selects_nothing_until_one_asks(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any], address: str
) -> None:
    page = visit(serve(store)).open(address)
    result = page.find("label.choice").filter(has_text="Result").locator("select")
    result.wait_for()
    assert result.input_value() == "val_auc"
    result.select_option("test_auc")
    assert "result=test_auc" in page.address


def test_the_best_by_validation_are_drawn(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    for number in range(10, 25):
        write_run(store, number, params={"lr": 1}, metrics={"test_auc": [0, 0.9], "val_auc": [0, 0.1]})
    page = visit(serve(store)).open("compare?all=1")
    page.find("main").get_by_text("the 20 best by val_auc of 24 are drawn").wait_for()
    assert page.find(".legend-item .name").first.inner_text() == run_id(9)
    assert not page.find("main").get_by_text(re.compile("by test_auc")).count()


def test_runs_that_pass_but_are_not_compared_are_counted(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(store))

    def more(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"matching": 10_000})

    page.page.route("**/api/0/runs*limit=5000*", more)
    page.open("compare?all=1")
    page.find("main .hint").filter(has_text="10,000 runs pass; the best 9 by val_auc are compared").wait_for()


def test_values_that_no_chart_spans_are_marked_and_the_others_drawn(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    for number, values in ((10, [1e308, 0.5, -1e308]), (11, [1e200, 0.5, -1e200])):
        write_run(store, number, params={}, metrics={"loss": values})
    page = visit(serve(store)).open("run/run_010")
    page.find(".curve-chart .hint").filter(has_text="too large to draw (2)").wait_for()
    assert page.find(".curve-plot").first.get_attribute("data-points") == "3"
    page.open("run/run_011")
    assert page.find(".curve-chart .hint").first.is_hidden()


def test_what_the_sweep_of_the_runs_ranks_by_is_drawn_first(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    for number in (10, 11):
        sweep = {
            "id": "s",
            "job": number,
            "key": "k",
            "objective": {"metric": "err", "mode": "min", "at": "last"},
        }
        metrics = {"aux_auc": [0.1, 0.2], "err": [0.9, 0.5 + number / 100], "once": [1.0]}
        folder = write_run(store, number, params={"lr": number}, metrics=metrics, sweep=sweep)
        summary = orjson.loads((folder / "summary.json").read_bytes())
        summary["metrics"]["err"]["last_step"] = None  # the value that the job returned
        (folder / "summary.json").write_bytes(orjson.dumps(summary))
    page = visit(serve(store)).open("compare?run=run_010&run=run_011")
    titles = page.find(".curves h3")
    titles.first.wait_for()
    assert titles.all_inner_texts() == ["err", "aux_auc"]
    assert page.find(".side-by-side tbody tr").nth(2).locator("th").inner_text() == "err (min)"


def test_the_legend_says_at_which_step_its_values_are(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(store)).open("compare?run=run_001&run=run_004")
    lines(page, 2)
    page.find(".curve-plot .u-over").first.hover(position={"x": 2, "y": 40})
    page.find(".legend").first.get_by_text("at step 0").wait_for()
    page.page.mouse.move(0, 0)
    page.find(".legend").first.get_by_text("at step").wait_for(state="detached")
