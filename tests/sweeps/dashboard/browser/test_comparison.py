"""Many runs compared: all that differs can be chosen, and what decides their result is told of the result that is shown."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filled_stores import RATE, SWEEP
from served import Served

from tracking import ExperimentTracker

RUNS, SETTINGS = 24, 20
DECIDES = "What decides the result"


def look(page: Any, title: str) -> None:
    """Scroll to the section with a title, which is drawn when it is in view."""
    section = page.find("section").filter(has=page.find("h2").filter(has_text=re.compile(f"^{title}$")))
    section.wait_for()
    section.evaluate("(section) => section.scrollIntoView({ block: 'start', behavior: 'instant' })")


@pytest.fixture
def compared(tmp_path: Path, serve: Callable[..., Served], visit: Callable[..., Any]) -> Any:
    """A comparison of runs whose auc follows from the last setting, and their loss from the first."""
    source = random.Random(0)
    tracker = ExperimentTracker(tmp_path / "experiments")
    for _ in range(RUNS):
        params = {f"s{number:02}": source.random() for number in range(SETTINGS)}
        with tracker.start_run("x", params=params) as run:
            run.log({"val_auc": params["s19"], "val_loss": params["s00"]}, step=0)
    with tracker.start_run("x"):
        pass
    return visit(serve()).open("compare?all=1&filter=val_auc+%3E+0")


def test_all_settings_that_differ_can_be_chosen_and_what_has_no_axis_is_counted(compared: Any) -> None:
    compared.find("select").filter(has_text="s00").wait_for()
    chosen = compared.find("select").filter(has_text="s00").locator("option").all_inner_texts()
    assert chosen == [f"s{number:02}" for number in range(SETTINGS)]
    look(compared, "Parameters and result")
    compared.find(".chart-parallel .chart-note").filter(
        has_text=re.compile("6 more settings have no axis")
    ).wait_for()


def test_what_decides_is_told_of_the_result_that_is_chosen(compared: Any) -> None:
    bars = compared.find(".bars th").first
    look(compared, DECIDES)
    bars.filter(has_text="s19").wait_for()
    assert "From 24 runs" in compared.find(".chart-bars .chart-note").inner_text()
    compared.find("select").filter(has_text="val_loss").select_option("val_loss")
    look(compared, DECIDES)
    bars.filter(has_text="s00").wait_for()


def test_jobs_of_one_sweep_tell_what_decides_in_it(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(60)[0]).open(f"compare?all=1&filter=sweep+%3D%3D+%27{SWEEP}%27")
    look(page, DECIDES)
    page.find(".section").filter(has_text=f"of all jobs of {SWEEP}").first.wait_for()
    page.find(".bars th").filter(has_text=RATE).wait_for()


def test_a_filter_by_a_name_that_no_run_has_says_so(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(60)[0]).open("runs?filter=params.model.dropuot+%3E+1")
    page.find(".state.empty").filter(
        has_text="No run has params.model.dropuot; did you mean model.dropout or model.kind?"
    ).wait_for()
