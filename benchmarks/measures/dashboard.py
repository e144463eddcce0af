"""The dashboard of a large store in a browser: its start, its table, its curves, and what it costs while nothing happens."""

import os
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contestants import PODIUM
from benchmarks.dashboard.browsing import COMPARE, FILTER, FIRST_PAINT, SEE, SORT, browser, page, ready
from benchmarks.dashboard.serving import Dashboard, Logger
from benchmarks.figures import figure
from benchmarks.plan import Plan, Result

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CURVES = 20
LONG = "long"  # the experiment of the runs with long curves
QUIET_S = 10.0
SETTLED_S = 2.0  # what an opened page still asks for
POINTS = 5  # that are logged in a round
ASKED = 5  # filters and orders in a round
# What is measured: its unit, and what podium promises.
CASES = {
    "start": ("start of the command to its first answer", "ms", 1000.0),
    "paint": ("first paint", "ms", 500.0),
    "table": ("the table of {runs:,} runs is drawn, nothing in the cache", "ms", 500.0),
    "filter": ("filter {runs:,} runs, to the frame that shows it", "ms", 50.0),
    "sort": ("sort {runs:,} runs by a metric, to the frame that shows it", "ms", 50.0),
    "point": ("a point that is logged, to the frame that shows it", "ms", 300.0),
    "drawn": ("{curves} curves of {points:,} points, from the data to the frame", "ms", 200.0),
    "curves": ("the same, from the click", "ms", None),
    "memory": ("memory of the server, after all of this", "MB", 80.0),
    "idle": ("processor of the server, a page open, nothing new", "% of a core", 1.0),
}
Times = dict[str, list[float]]


def dashboard(plan: Plan) -> Result:
    """Open the dashboard in a new process and a new browser profile, round by round."""
    runs, points = plan.pick(5, 10_000), plan.pick(20, 10_000)
    store = plan.store(PODIUM, runs, use="dashboard")
    long = _long_runs(store, points)
    PODIUM.ask("best", store)  # makes the index, which is measured by `index`
    times: Times = defaultdict(list)
    load = os.getloadavg()[0]
    with browser() as started:
        for _ in range(plan.rounds):
            with Dashboard(store) as served:
                times["start"].append(served.ready_ms)
                _table(started, served, times)
                _curves(started, served, times, long)
                _point(started, served, store, times)
                times["memory"].append(served.memory_mb())
                _idle(started, served, times, plan.pick(1, int(QUIET_S)))
    note = f"load average {load:.1f} to {os.getloadavg()[0]:.1f}"
    named = {"runs": runs + CURVES, "curves": CURVES, "points": points}
    figures = [
        figure(title.format(**named), "podium", unit, times[key], target=target, note=note)
        for key, (title, unit, target) in CASES.items()
    ]
    return "podium dashboard in a browser without a window", figures


def _long_runs(store: Path, points: int) -> list[str]:
    """Return the runs with long curves, made when they are first asked for."""
    from tracking import ExperimentTracker

    tracker = ExperimentTracker(store)
    known = [record.run_id for record in tracker.records(LONG)]
    for number in range(len(known), CURVES):
        with tracker.start_run(LONG, params={"number": number}, capture_output=False) as run:
            for step in range(points):
                run.log(
                    {"loss": 1 / (1 + step * (number + 1) / points) + (step * 7919 % 101) / 2000}, step=step
                )
        known.append(run.run_id)
    return known


def _table(browser: "Browser", served: Dashboard, times: Times) -> None:
    """Open the table of runs, filter it and sort it."""
    with page(browser) as opened:
        opened.goto(f"{served.address}#/runs")
        opened.locator("[role=grid] .vt-body .vt-row a").first.wait_for()
        ready(opened, "runs")
        times["table"].append(opened.evaluate("drawn(() => window.readyAt).then(() => window.readyAt)"))
        times["paint"].append(opened.evaluate(FIRST_PAINT))
        opened.evaluate(FILTER, "val_auc > 0.1")  # as a reader's second question: the code is warm
        for number in range(ASKED):
            asked = f"val_auc > 0.{number + 3} and learning_rate < 0.01"
            times["filter"].append(opened.evaluate(FILTER, asked))
        opened.evaluate(FILTER, "")
        opened.evaluate(SORT, "val_auc")
        times["sort"] += [opened.evaluate(SORT, "val_auc") for _ in range(ASKED)]


def _curves(browser: "Browser", served: Dashboard, times: Times, runs: list[str]) -> None:
    """Compare the runs with long curves, from the table."""
    with page(browser) as opened:
        opened.goto(f"{served.address}#/compare?run={runs[0]}&metric=loss")
        ready(opened, "compare")  # the code is there
        opened.goto(f"{served.origin}#/runs")
        ready(opened, "runs")
        asked = "&".join(f"run={run}" for run in runs)
        whole, drawing, _ = opened.evaluate(COMPARE, f"#/compare?{asked}&metric=loss")
        times["curves"].append(whole)
        times["drawn"].append(drawing)


def _point(browser: "Browser", served: Dashboard, store: Path, times: Times) -> None:
    """Follow a run that logs now and then."""
    with page(browser) as opened, Logger(store) as logger:
        opened.goto(f"{served.address}#/run/{logger.run}")
        opened.locator(".curve-plot[data-points='1']").wait_for()
        opened.evaluate(SEE)
        for number in range(POINTS):
            opened.wait_for_timeout(300 + 37 * number)  # at any moment of the server's rhythm
            logged = logger.log()
            opened.locator(f".curve-plot[data-points='{number + 2}']").wait_for()
            seen = f"drawn(() => window.seen[{number + 2}]).then(() => window.seen[{number + 2}])"
            times["point"].append(opened.evaluate(seen) - logged)


def _idle(browser: "Browser", served: Dashboard, times: Times, seconds: float) -> None:
    """Leave a page open while nothing happens."""
    with page(browser) as opened:
        opened.goto(f"{served.address}#/runs")
        ready(opened, "runs")
        time.sleep(SETTLED_S)
        began, before = time.perf_counter(), served.cpu_s()
        time.sleep(seconds)
        times["idle"].append((served.cpu_s() - before) / (time.perf_counter() - began) * 100)
