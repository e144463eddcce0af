"""Edits of runs: tags, descriptions, experiments, status; also while another process writes the run."""

import json
import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracking import ExperimentTracker, InvalidNameError, InvalidValueError, RunInUseError, UnknownRunError
from tracking.search.catalog import Catalog
from tracking.store import amend
from tracking.store.edit_log import read_edits
from tracking.store.store import Store


@pytest.fixture
def place(base: Path) -> Store:
    return Store(base)


def test_tags_are_set_and_removed_and_the_others_stay(tracker: ExperimentTracker, place: Store) -> None:
    run_id = tracker.create_run("x", tags={"team": "ml", "draft": True})
    amend.set_tags(place, run_id, {"team": "ads", "n": 3}, remove=["draft", "never there"])
    record = tracker.record(run_id)
    assert record is not None
    assert record.tags == {"team": "ads", "n": 3}
    with pytest.raises(InvalidValueError, match="the tag 'n' is to be both set and removed"):
        amend.set_tags(place, run_id, {"n": 1}, remove=["n"])
    with pytest.raises(UnknownRunError):
        amend.set_tags(place, "run_999", {"n": 1})


def test_a_description_is_replaced_or_continued(tracker: ExperimentTracker, place: Store) -> None:
    run_id = tracker.create_run("x")
    amend.describe(place, run_id, "first", append=True)
    amend.describe(place, run_id, "second", append=True)
    assert tracker.list_runs()[0]["description"] == "first\nsecond"
    amend.describe(place, run_id, "third")
    assert tracker.list_runs()[0]["description"] == "third"
    with pytest.raises(InvalidValueError):
        amend.describe(place, run_id, "\ud800")


def test_an_experiment_is_renamed_run_by_run(tracker: ExperimentTracker, place: Store) -> None:
    ids = [tracker.create_run(name) for name in ("old", "old", "other")]
    for run_id in Catalog(place).run_ids_of("old"):
        amend.rename(place, run_id, "new")
    assert [run["run_id"] for run in tracker.list_runs("new")] == ids[:2]
    assert tracker.list_runs("old") == []
    with pytest.raises(InvalidNameError):
        amend.rename(place, ids[0], "two\nlines")


def test_a_handle_and_a_tracker_change_the_same(tracker: ExperimentTracker) -> None:
    with tracker.start_run("old", tags={"draft": True}) as run:
        run.set_tags({"team": "ml"})
        run.remove_tags("draft", "never there")
        run.describe("first")
        run.describe("second", append=True)
    assert tracker.rename_experiment("old", "new") == [run.run_id]
    for unknown in ("old", "ol"):
        with pytest.raises(UnknownRunError, match=f"belongs to the experiment '{unknown}'"):
            tracker.rename_experiment(unknown, "new")
    (told,) = tracker.list_runs("new")
    assert (told["tags"], told["description"]) == ({"team": "ml"}, "first\nsecond")


def test_an_edit_of_a_finished_run_is_logged_for_readers(tracker: ExperimentTracker, place: Store) -> None:
    run_id = tracker.create_run("x")
    tracker.finish_run(run_id)
    before = read_edits(place.paths, {}).position
    amend.describe(place, run_id, "seen")
    assert read_edits(place.paths, before).run_ids == {run_id}


def _tag_many(base: Path, run_id: str, name: str) -> None:
    store = Store(base)
    for number in range(50):
        amend.set_tags(store, run_id, {f"{name}{number}": number})


def test_concurrent_changes_and_the_end_of_a_run_are_not_lost(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("x")
    fork = multiprocessing.get_context("fork")
    others = [fork.Process(target=_tag_many, args=(base, run_id, name)) for name in "ab"]
    for other in others:
        other.start()
    tracker.finish_run(run_id, "failed")
    for other in others:
        other.join()
    entry = json.loads((base / "runs" / run_id / "run.json").read_text())
    assert entry["status"] == "failed"
    assert set(entry["tags"]) == {f"{name}{number}" for name in "ab" for number in range(50)}


def test_a_run_is_finished_for_a_dead_process_and_not_for_a_living_one(
    tracker: ExperimentTracker, base: Path, place: Store
) -> None:
    code = (
        "import sys; from tracking import ExperimentTracker as T; t = T(sys.argv[1]); r = t.create_run('x'); "
        "t.log_metrics(r, {'a': 1}); print(r, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(base)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        with pytest.raises(RunInUseError, match=f"process {process.pid}, which is alive; .* stop {run_id}"):
            amend.finish(place, run_id, "killed")
        process.send_signal(signal.SIGKILL)
    amend.finish(place, run_id, "killed")
    run = ExperimentTracker(base).get_run(run_id)
    assert run is not None
    assert (run["status"], run["metrics"]["a"][0]["value"]) == ("killed", 1)
    assert json.loads((base / "runs" / run_id / "run.json").read_text())["status"] == "killed"
    with pytest.raises(InvalidValueError, match="is killed already"):
        amend.finish(place, run_id, "failed")
    with pytest.raises(InvalidValueError, match="'running' is none of"):
        amend.finish(place, run_id, "running")


def test_a_running_run_is_asked_to_stop_and_a_finished_one_is_not(
    tracker: ExperimentTracker, place: Store
) -> None:
    with tracker.start_run("x") as run:
        assert not run.should_stop()
        amend.ask_to_stop(place, run.run_id)
        amend.ask_to_stop(place, run.run_id)
        assert run.should_stop()
    with pytest.raises(InvalidValueError, match="is completed already"):
        amend.ask_to_stop(place, run.run_id)


@pytest.mark.parametrize("wrong", [["x"], 5, None])
def test_tags_are_removed_by_name(tracker: ExperimentTracker, wrong: object) -> None:
    run = tracker.open_run(tracker.create_run("x", tags={"x": 1}))
    with pytest.raises(InvalidNameError, match="removed by name"):
        run.remove_tags(wrong)  # type: ignore[arg-type]  # the mistake
    assert tracker.record(run.run_id).tags == {"x": 1}
