"""What a page shows while a process logs, prints, starts and ends runs; and while the server is killed and comes back."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filled_stores import run_id, write_run
from served import ROOT
from told import NAME, Told

LOGGER = """
import sys
from tracking import ExperimentTracker
run = ExperimentTracker(sys.argv[1]).start_run("live", params={"lr": 0.1}, capture_output=True)
print(run.run_id, file=sys.__stdout__, flush=True)
for line in sys.stdin:
    what, _, rest = line.strip().partition(" ")
    if what == "log":
        first, last = map(int, rest.split())
        for step in range(first, last):
            run.log({"loss": 1 / (step + 1)}, step=step)
    elif what == "print":
        print(rest, flush=True)
    elif what == "finish":
        run.finish()
    print("done", file=sys.__stdout__, flush=True)
"""
# Keeps what the stream of a page brings: the page itself shows a step once, however often it comes.
KEEP_STEPS = """
window.told = { steps: [], wholes: 0 };
window.EventSource = class extends EventSource {
  constructor(...asked) {
    super(...asked);
    this.addEventListener("points", ({ data }) => {
      const { lines, whole } = JSON.parse(data);
      window.told.steps.push(...lines.map(([step]) => step));
      window.told.wholes += whole ? 1 : 0;
    });
  }
};
"""
CUT_OFF = "ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE"


class Logger:
    """A process with a run that is open; it does what it is told, and then says so."""

    def __init__(self, store: Path, log: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOGGER, str(store)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.run = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()) and not re.match(r"(done|run_\d+)\n", line):
            pass
        return line.strip()

    def tell(self, words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        assert self._answer() == "done"

    def end(self, *, kill: bool = False) -> None:
        if kill:
            self._process.kill()
        self._process.communicate()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "experiments"


@pytest.fixture
def logger(store: Path, tmp_path: Path) -> Iterator[Logger]:
    """A process that logs; it is over at the end of the test."""
    logger = Logger(store, tmp_path)
    yield logger
    logger.end(kill=True)


def drawn(page: Any, points: int) -> None:
    """Wait until the curves of a page have so many points."""
    page.find(f".curve-plot[data-points='{points}']").first.wait_for()


def test_points_output_and_the_end_of_a_run_are_seen_as_they_come(
    store: Path, logger: Logger, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    logger.tell("log 0 3")
    logger.tell("print first line")
    page = visit(serve(store)).open(f"run/{logger.run}")
    drawn(page, 3)
    logger.tell("log 3 10")
    drawn(page, 10)
    page.find(".output").filter(has_text="first line").wait_for()
    logger.tell("print a line with <b>markup</b>")
    page.find(".output").filter(has_text="a line with <b>markup</b>").wait_for()
    page.find(".head .status").filter(has_text="running").wait_for()
    logger.tell("finish")
    page.find(".head .status").filter(has_text="completed").wait_for()


def test_the_numbers_of_runs_that_are_compared_follow_their_curves(
    store: Path, logger: Logger, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    write_run(store, 5)
    logger.tell("log 0 2")
    page = visit(serve(store)).open(f"compare?run={logger.run}&run={run_id(5)}&metric=loss")
    drawn(page, 2)
    row = page.find(".side-by-side tr").filter(has_text="loss (min)").filter(has_not_text="train")
    row.filter(has_text="0.5").wait_for()
    logger.tell("log 2 10")
    drawn(page, 10)
    row.filter(has_text="0.1").wait_for()
    logger.tell("finish")
    page.find(".side-by-side .status").filter(has_text="running").wait_for(state="detached")


def test_a_server_that_is_killed_and_comes_back_loses_no_point_and_brings_none_twice(
    store: Path, logger: Logger, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    logger.tell("log 0 5")
    served = serve(store)
    page = visit(served)
    page.allow(CUT_OFF)
    page.page.add_init_script(KEEP_STEPS)
    page.open(f"run/{logger.run}")
    drawn(page, 5)
    last = 5
    for _ in range(2):
        logger.tell(f"log {last} {last + 20}")
        drawn(page, last + 20)
        served.process.kill()
        served.process.communicate()
        logger.tell(f"log {last + 20} {last + 40}")
        page.find(".banner").filter(has_text="The dashboard was stopped").wait_for()
        served = serve(store, served.port)
        logger.tell(f"log {last + 40} {last + 60}")
        drawn(page, last + 60)
        page.find(".banner").wait_for(state="hidden")
        last += 60
    assert page.page.evaluate("window.told") == {"steps": [*range(5, last)], "wholes": 0}


def test_a_page_that_is_loaded_while_the_server_is_away_comes_by_itself(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    for number in (1, 2):
        write_run(store, number)
    served = serve(store)
    page = visit(served)
    page.allow(CUT_OFF)
    page.open("runs")
    served.process.kill()
    served.process.communicate()
    page.find("a").filter(has_text=run_id(2)).click()
    page.find(".state.failed").filter(has_text="was stopped").wait_for()
    command = page.find(".banner code").inner_text()
    assert command == f"podium dashboard --store {store} --port {served.port}"
    serve(store, served.port)
    page.find("h1").filter(has_text=run_id(2)).wait_for()
    page.find(".banner").wait_for(state="hidden")


def test_a_run_that_begins_appears_in_the_table_and_changes_there(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    write_run(store, 1)
    page = visit(serve(store)).open("runs")
    logger = Logger(store, tmp_path)
    row = page.find(".vt-body .vt-row").filter(has_text=logger.run)
    row.filter(has_text="running").wait_for()
    logger.tell("finish")
    row.filter(has_text="completed").wait_for()
    logger.end()
    second = Logger(store, tmp_path)
    row = page.find(".vt-body .vt-row").filter(has_text=second.run)
    row.filter(has_text="running").wait_for()
    second.end(kill=True)
    row.filter(has_text="killed").wait_for()


def test_what_one_looks_at_stays_in_place_when_runs_come(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    for number in range(1, 101):
        write_run(store, number)
    page = visit(serve(store)).open("runs")
    grid = page.find("[role=grid]")
    page.find(".vt-row .vt-check").nth(1).click()
    grid.evaluate("grid => { grid.scrollTop = 40 * 28 }")
    row = page.find(".vt-row").filter(has_text=run_id(55))
    row.wait_for()
    before = row.bounding_box()
    for number in range(101, 104):
        write_run(store, number)
    page.find("button").filter(has_text="3 new runs").wait_for()
    assert row.bounding_box() == before
    assert page.find("button").filter(has_text=f"Open {run_id(100)}").count() == 1
    page.find("button").filter(has_text="3 new runs").click()
    page.find(".vt-row").filter(has_text=run_id(103)).wait_for()


def test_a_sweep_grows_on_its_page_and_in_the_list(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    told = Told(store, total=3)
    told.begin()
    told.job(0, 0.61)
    served = serve(store)
    page, others = visit(served).open(f"sweep/{NAME}"), visit(served).open("sweeps")
    board = page.find("[role=grid][aria-label=Leaderboard] .vt-body .vt-row")
    page.page.mouse.wheel(0, 3000)
    board.filter(has_text="0.61").wait_for()
    told.job(1, 0.72, from_s=2.0, to_s=4.0)
    board.filter(has_text="0.72").wait_for()
    others.find("main").get_by_text("0.72").first.wait_for()
    told.ask(2)
    told.start(2, 5.0)
    told.fail(2, "ValueError: <img src=x onerror=alert(1)>", log="the last line before it\n")
    told.tell(6.0, "ended")
    page.find(".sweep-failures").filter(has_text="ValueError: <img src=x onerror=alert(1)>").wait_for()
    page.find(".head .status").filter(has_text="finished").wait_for()
    others.find("main").get_by_text("finished").first.wait_for()


def test_more_tabs_than_a_browser_has_connections_work_and_the_one_in_use_is_live(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    for number in range(1, 4):
        write_run(store, number)
    first = visit(serve(store)).open("runs")
    tabs = [first.page.context.new_page() for _ in range(7)]
    for tab in tabs:
        tab.goto(f"{first.base}#/runs")
        tab.locator("html[data-ready=runs]").wait_for(state="attached")
    first.page.locator("html[data-live=resting]").wait_for(state="attached")
    assert first.find(".not-live").is_visible()
    field = first.find("input[aria-label='Filter of runs']")
    field.fill("run_id == 'run_002'")
    first.find("main [role=status]").filter(has_text="1 of 3 runs").wait_for()
    first.find("html[data-live=on]").wait_for(state="attached")
    first.find("[aria-label='Clear the filter']").click()
    write_run(store, 4)
    first.find(".vt-body .vt-row").filter(has_text=run_id(4)).wait_for()


def test_a_store_that_is_moved_away_is_not_called_empty(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    write_run(store, 1)
    page = visit(serve(store)).open("runs")
    page.find(".vt-body .vt-row").first.wait_for()
    store.rename(tmp_path / "elsewhere")
    page.find(".state").filter(has_text="The runs are gone").wait_for()
    (tmp_path / "elsewhere").rename(store)
    page.find(".vt-body .vt-row").filter(has_text=run_id(1)).wait_for()
