"""What a page shows while a process logs, prints, starts and ends runs; and while the server is killed and comes back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filled_stores import run_id, write_run
from logging_run import Logger
from told import NAME, Told

from tracking import ModelRegistry

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
CUT_OFF = "ERR_(?:CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE|CONTENT_LENGTH_MISMATCH)"


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


def test_a_model_that_is_registered_and_promoted_is_seen_on_its_pages(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    write_run(store, 1, metrics={"val_auc": [0.9]})
    served, registry = serve(store), ModelRegistry(store)
    models = visit(served).open("models")
    models.find(".state").filter(has_text="No model here yet").wait_for()
    objective = {"metric": "val_auc", "mode": "max", "value": 0.9}
    registry.register("net", run_id(1), files=[], objective=objective)
    models.find(".models-table").filter(has_text="none").wait_for()
    model = visit(served).open("model/net")
    registry.promote("net", 1, reason="it was looked at by hand")
    models.find(".models-table").filter(has_text="v1 · ").wait_for()
    model.find("main").get_by_text("it was looked at by hand").first.wait_for()


def test_more_windows_in_sight_than_a_browser_has_connections_are_all_live(
    store: Path, logger: Logger, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    write_run(store, 50)
    logger.tell("log 0 3")
    first = visit(serve(store)).open(f"run/{logger.run}")
    context = first.page.context
    windows = [first.page, *(context.new_page() for _ in range(7))]
    for number, window in enumerate(windows[1:]):
        address = "runs" if number % 2 else f"run/{logger.run}"
        window.goto(f"{first.base}#/{address}")
        window.locator(f"html[data-ready={address.partition('/')[0]}]").wait_for(state="attached")
    assert {window.evaluate("document.visibilityState") for window in windows} == {"visible"}
    first.page.locator("html[data-live=turns]").wait_for(state="attached")
    for upto in (10, 25):
        logger.tell(f"log 3 {upto}" if upto == 10 else f"log 10 {upto}")
        for window in windows:
            if "/run/" in window.url:
                window.locator(f".curve-plot[data-points='{upto}']").first.wait_for()
    write_run(store, 51)
    for window in windows:
        if window.url.endswith("runs"):
            window.locator(".vt-body .vt-row").filter(has_text=run_id(51)).wait_for()
    field = windows[2].locator("input[aria-label='Filter of runs']")
    field.fill(f"run_id == '{run_id(50)}'")
    windows[2].locator("main [role=status]").filter(has_text="1 of 3 runs").wait_for()
    states = [window.evaluate("document.documentElement.dataset.live ?? 'on'") for window in windows]
    assert states[2] == "on"
    assert states.count("on") <= 4
    assert states.count("turns") >= 4


def test_a_window_that_took_turns_has_a_stream_again_when_others_are_closed(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    write_run(store, 1)
    first = visit(serve(store)).open("runs")
    others = [first.page.context.new_page() for _ in range(5)]
    for other in others:
        other.goto(f"{first.base}#/runs")
        other.locator("html[data-ready=runs]").wait_for(state="attached")
    first.find("html[data-live=turns]").wait_for(state="attached")
    for other in others[:3]:
        other.close()
    first.find("html[data-live=on]").wait_for(state="attached")


def test_a_store_that_is_moved_away_is_not_called_empty(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    write_run(store, 1)
    page = visit(serve(store)).open("runs")
    page.allow("status of 410")
    page.find(".vt-body .vt-row").first.wait_for()
    store.rename(tmp_path / "elsewhere")
    gone = page.find(".state").filter(has_text=f"the store {store} is gone")
    gone.wait_for()
    (tmp_path / "elsewhere").rename(store)
    page.find(".vt-body .vt-row").filter(has_text=run_id(1)).wait_for()


@pytest.mark.parametrize("address", ["runs", "run/run_001", "sweeps", "models"])
def test_a_page_that_is_opened_when_its_store_has_vanished_says_so_and_goes_on_when_it_is_back(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path, address: str
) -> None:
    write_run(store, 1)
    server = serve(store)
    store.rename(tmp_path / "elsewhere")
    page = visit(server)
    page.allow("status of 410")
    page.open(address, "runs" if address == "runs" else "failed")
    gone = page.find(".state").filter(has_text=f"the store {store} is gone")
    gone.wait_for()
    assert page.find("h2").filter(has_text="The store is gone").count() == 1
    (tmp_path / "elsewhere").rename(store)
    gone.wait_for(state="detached")


def test_an_empty_folder_that_never_was_a_store_has_no_runs_yet(
    serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    page = visit(serve(tmp_path / "new")).open("runs")
    page.find(".state").filter(has_text="No runs yet").wait_for()
