"""A run that a later attempt at its job stands in for has no rank and is counted by itself."""

import json
from pathlib import Path

import pytest
from command_line import Say

from tracking import ExperimentTracker
from tracking.cli.alerts import Watcher
from tracking.cli.ranking import rank
from tracking.notify import Alert
from tracking.objective import Objective
from tracking.plots.entrants import entrants
from tracking.search.catalog import Catalog
from tracking.store.store import Store

TAG = {"superseded_by": "run_002"}


@pytest.fixture
def tracker(tmp_path: Path) -> ExperimentTracker:
    """Return a store in which run_001, that is superseded, has the highest and the lowest value."""
    tracker = ExperimentTracker(tmp_path)
    for values, status in (((0.1, 0.9), "killed"), ((0.5,), "completed"), ((0.4,), "completed")):
        with tracker.start_run("x", capture_output=False) as run:
            for value in values:
                run.log({"val_auc": value})
            run.finish(status)
    tracker.open_run("run_001").set_tags(TAG)
    return tracker


@pytest.mark.parametrize("at", ["best", "last"])
@pytest.mark.parametrize(("mode", "best"), [("max", "run_002"), ("min", "run_003")])
def test_it_is_never_the_best_run(tracker: ExperimentTracker, mode: str, at: str, best: str) -> None:
    for name in (None, "x"):
        found = tracker.get_best_run("val_auc", name, mode, at=at)
        assert found is not None
        assert found["run_id"] == best
    ranking = rank(tracker.records(), "val_auc", mode, at)
    assert ranking.best is not None
    assert ranking.best.run_id == best
    assert ranking.runs[-1].run_id == "run_001"


def test_a_run_counts_again_once_the_tag_is_removed(tracker: ExperimentTracker) -> None:
    tracker.open_run("run_001").remove_tags("superseded_by")
    found = tracker.get_best_run("val_auc")
    assert found is not None
    assert found["run_id"] == "run_001"
    best = rank(tracker.records(), None, None).best
    assert best is not None
    assert best.run_id == "run_001"


def test_there_is_no_best_one_where_all_are_superseded(tracker: ExperimentTracker) -> None:
    for run in ("run_002", "run_003"):
        tracker.open_run(run).set_tags({"superseded_by": "run_009"})
    assert tracker.get_best_run("val_auc") is None
    assert rank(tracker.records(), None, None).best is None


def test_it_is_in_no_picture_of_ranked_runs(tracker: ExperimentTracker) -> None:
    found = entrants(tracker.records(), Objective.of("val_auc"))
    assert [run.run_id for run in found.runs] == ["run_002", "run_003"]
    assert found.note == "2 runs; left out: 1 superseded"


def test_it_is_counted_by_itself_and_not_as_killed(tracker: ExperimentTracker, say: Say) -> None:
    store = ("--store", str(tracker.base_dir))
    told = json.loads(say("list", "--json", *store)[1])["x"]
    assert {name: told[name] for name in told if name != "run_ids"} == {
        "total": 3,
        "completed": 2,
        "superseded": 1,
    }
    assert "  Total runs: 3\n  Completed: 2\n  Superseded: 1\n" in say("list", *store)[1]
    assert "x: 2 completed, 1 superseded\n" in say("watch", "x", "--once", *store)[1]


def test_tables_say_so_in_place_of_its_status_and_json_keeps_that(
    tracker: ExperimentTracker, say: Say
) -> None:
    store = ("--store", str(tracker.base_dir))
    for command in (("list", "x"), ("search",), ("compare", "x"), ("watch", "x", "--once")):
        (line,) = (each for each in say(*command, *store)[1].splitlines() if each.startswith("run_001"))
        assert "superseded" in line.split()
        assert "killed" not in line
    told = json.loads(say("search", "--json", *store)[1])
    assert [run["status"] for run in told] == ["killed", "completed", "completed"]


def test_its_end_is_no_alert(tracker: ExperimentTracker) -> None:
    sent: list[Alert] = []
    watcher = Watcher(Catalog(Store(tracker.base_dir)), "x", sent.append, lambda: 0.0)
    watcher.look([{"run_id": "run_001", "status": "running"}])
    watcher.look([{"run_id": "run_001", "status": "killed"}])
    assert not sent
    tracker.open_run("run_001").remove_tags("superseded_by")
    watcher.look([{"run_id": "run_001", "status": "running"}])
    watcher.look([{"run_id": "run_001", "status": "killed"}])
    assert [alert.title for alert in sent] == ["Failed: run run_001 of x"]


def test_it_says_which_run_stands_in_for_it(tracker: ExperimentTracker, say: Say) -> None:
    shown = say("show", "run_001", "--store", str(tracker.base_dir))[1]
    assert "Tags: superseded_by=run_002" in shown
    found = say("search", "tags.superseded_by == 'run_002'", "--store", str(tracker.base_dir))[1]
    assert "run_001" in found
    assert "run_003" not in found
