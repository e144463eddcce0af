"""The trash: readers do not see a deleted run, and it comes back whole under its id until it is purged."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tracking import (
    ExperimentTracker,
    InvalidNameError,
    ModelRegistry,
    NewerFormatError,
    RunInUseError,
    TrackingError,
    UnknownRunError,
)
from tracking.registry.lineage import descendants
from tracking.store import trash
from tracking.store.store import Store


def finished(tracker: ExperimentTracker, value: float = 0.5) -> str:
    with tracker.start_run("ctr_model", params={"p": 1}) as run:
        run.log({"auc": value}, step=0)
        (run.artifacts_dir / "note.txt").write_text("kept")
    return run.run_id


def listed(base: Path) -> list[str]:
    return [run["run_id"] for run in ExperimentTracker(base).list_runs()]


def published(base: Path) -> list[str]:
    return [entry["run_id"] for entry in json.loads((base / "metadata.json").read_text())]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_deleted_run_is_gone_for_readers_and_comes_back_whole(
    tracker: ExperimentTracker, base: Path
) -> None:
    first, second = finished(tracker, 0.5), finished(tracker, 0.6)
    before, files_before = tracker.get_run(second), contents(base / "runs" / second)
    tracker.delete_run(second)
    assert listed(base) == published(base) == [first]
    assert tracker.get_run(second) is None
    best = tracker.get_best_run("auc")
    assert best is not None
    assert best["run_id"] == first
    tracker.restore_run(second)
    assert listed(base) == published(base) == [first, second]
    assert tracker.get_run(second) == before
    assert contents(base / "runs" / second) == files_before


def test_the_number_of_a_deleted_run_is_not_used_again_even_if_it_was_the_last_and_is_purged(
    tracker: ExperimentTracker, base: Path
) -> None:
    finished(tracker)
    last = finished(tracker)
    tracker.delete_run(last)
    assert ExperimentTracker(base).create_run("x") == "run_003"
    trash.purge(Store(base), {})
    (base / "metadata.json").unlink()
    assert ExperimentTracker(base).create_run("x") == "run_004"


def test_a_running_run_is_refused_and_the_message_says_what_to_do(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("ctr_model")
    with pytest.raises(
        RunInUseError, match=rf"'run_001' is running \(process {os.getpid()} on .*tracking stop run_001"
    ):
        tracker.delete_run(run_id)
    tracker.log_metrics(run_id, {"a": 1})
    tracker.finish_run(run_id, "killed")
    tracker.delete_run(run_id)
    assert tracker.list_runs() == []


def test_a_finished_run_that_is_logged_to_again_is_refused_until_it_is_finished_again(
    tracker: ExperimentTracker,
) -> None:
    run_id = finished(tracker)
    tracker.log_metrics(run_id, {"auc": 0.7}, step=1)
    with pytest.raises(RunInUseError, match=r"'run_001' is running \(process .* stop run_001; .* --force"):
        tracker.delete_run(run_id)
    tracker.finish_run(run_id)
    tracker.delete_run(run_id)
    assert tracker.list_runs() == []


def test_a_run_whose_process_died_can_be_deleted(tracker: ExperimentTracker, base: Path) -> None:
    code = (
        "import os, signal; from tracking import ExperimentTracker as T; "
        f"T({str(base)!r}).create_run('x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path.cwd()).returncode == -signal.SIGKILL
    tracker.delete_run("run_001")
    assert tracker.list_runs() == []


def test_a_run_that_a_registered_version_came_from_is_refused_by_name(
    models: ModelRegistry, store: Path
) -> None:
    tracker = ExperimentTracker(store)
    with pytest.raises(RunInUseError, match="version 1 of the model 'ctr' came from it"):
        tracker.delete_run("run_001")
    with pytest.raises(RunInUseError, match="version 2 of the model 'ctr', its champion, came from it"):
        tracker.delete_run("run_002")
    tracker.delete_run("run_003")
    assert listed(store) == ["run_001", "run_002", "run_004"]


def test_nothing_is_deleted_while_neither_a_manifest_nor_the_history_names_a_run(
    models: ModelRegistry, store: Path
) -> None:
    (store / "models" / "ctr" / "v1" / "manifest.json").write_text("{")
    (store / "models" / "ctr" / "events.jsonl").unlink()
    with pytest.raises(TrackingError, match=r"manifest\.json is not valid JSON"):
        ExperimentTracker(store).delete_run("run_003")
    assert "run_003" in listed(store)


@pytest.mark.parametrize(
    ("run_id", "error", "message"),
    [
        ("run_999", UnknownRunError, "no run 'run_999' in the store"),
        ("../run_001", InvalidNameError, "run id '../run_001'"),
        (7, InvalidNameError, "is int, not a string"),
    ],
)
def test_an_invalid_id_is_refused(
    tracker: ExperimentTracker, run_id: str, error: type[Exception], message: str
) -> None:
    finished(tracker)
    with pytest.raises(error, match=message):
        tracker.delete_run(run_id)
    if run_id != 7:
        with pytest.raises(error):
            tracker.restore_run(run_id)


def test_deleting_twice_and_restoring_an_absent_run_name_what_the_trash_holds(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_id, other = finished(tracker), finished(tracker)
    tracker.delete_run(run_id)
    with pytest.raises(UnknownRunError, match="is in the trash already"):
        tracker.delete_run(run_id)
    with pytest.raises(UnknownRunError, match=f"no run '{other}' in the trash of .*: it holds {run_id}"):
        tracker.restore_run(other)
    (base / "runs" / run_id).mkdir()
    with pytest.raises(RunInUseError, match="exists and would be replaced"):
        tracker.restore_run(run_id)


def test_a_run_known_only_from_metadata_json_keeps_its_entry_in_the_trash(
    write_plain_store: Callable[..., None], tracker: ExperimentTracker, base: Path
) -> None:
    write_plain_store(2)
    before = tracker.get_run("run_001")
    tracker.delete_run("run_001")
    assert listed(base) == ["run_002"]
    tracker.restore_run("run_001")
    assert tracker.get_run("run_001") == before
    with pytest.raises(RunInUseError, match="'run_002' is running; "):
        tracker.delete_run("run_002")


def test_a_damaged_run_can_be_deleted_and_one_of_a_newer_format_cannot(
    tracker: ExperimentTracker, base: Path
) -> None:
    damaged, newer = finished(tracker), finished(tracker)
    (base / "runs" / damaged / "run.json").write_text("{")
    path = base / "runs" / newer / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    tracker.delete_run(damaged)
    assert (base / "trash" / damaged / "run.json").read_text() == "{"
    with pytest.raises(NewerFormatError):
        tracker.delete_run(newer)


def test_the_trash_lists_its_runs(tracker: ExperimentTracker, base: Path) -> None:
    store = Store(base)
    assert trash.trashed_runs(store) == []
    run_id = finished(tracker)
    tracker.delete_run(run_id)
    (told,) = trash.trashed_runs(store)
    assert (told.run_id, told.experiment_name) == (run_id, "ctr_model")
    assert datetime.now().astimezone() - told.deleted_at < timedelta(minutes=1)
    assert told.size_bytes == sum(map(len, contents(base / "trash" / run_id).values()))
    (base / "trash" / run_id / "deleted.json").write_text("[]")
    assert trash.trashed_runs(store)[0].deleted_by == ""


def age(base: Path, run_id: str, days: float) -> None:
    path = base / "trash" / run_id / "deleted.json"
    moment = datetime.now().astimezone() - timedelta(days=days)
    path.write_text(json.dumps({**json.loads(path.read_text()), "deleted_at": moment.isoformat()}))


def test_a_purge_goes_by_age_then_by_size_and_takes_the_oldest_first(
    tracker: ExperimentTracker, base: Path
) -> None:
    store = Store(base)
    ids = [finished(tracker) for _ in range(4)]
    for days, run_id in zip((40, 31, 20, 1), ids, strict=True):
        tracker.delete_run(run_id)
        age(base, run_id, days)
    month = timedelta(days=30)
    planned = trash.purge(store, {}, older_than=month, dry_run=True)
    assert [run.run_id for run in planned.runs] == ids[:2]
    assert [run.run_id for run in trash.trashed_runs(store)] == ids
    done = trash.purge(store, {}, older_than=month)
    assert done == planned
    assert done.freed_bytes == sum(run.size_bytes for run in done.runs) > 0
    size = trash.trashed_runs(store)[1].size_bytes
    assert [run.run_id for run in trash.purge(store, {}, keep_bytes=size).runs] == [ids[2]]
    assert trash.purge(store, {}, keep_bytes=size).runs == ()
    assert [run.run_id for run in trash.purge(store, {}).runs] == [ids[3]]
    assert list((base / "trash").iterdir()) == []


def test_a_purge_keeps_the_run_of_a_model_that_was_moved_there_by_hand(
    models: ModelRegistry, store: Path
) -> None:
    (store / "trash").mkdir()
    (store / "runs" / "run_001").rename(store / "trash" / "run_001")
    ExperimentTracker(store).delete_run("run_004")
    outcome = trash.purge(Store(store), descendants(ModelRegistry(store)))
    assert [run.run_id for run in outcome.runs] == ["run_004"]
    assert list(outcome.kept) == ["run_001"]
    assert "version 1 of the model 'ctr'" in outcome.kept["run_001"]
    assert (store / "trash" / "run_001" / "run.json").exists()


def test_what_was_moved_to_the_trash_by_hand_is_named_and_left_there_and_keeps_its_number(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_id = finished(tracker)
    (base / "trash").mkdir()
    (base / "runs" / run_id).rename(base / "trash" / run_id)
    outcome = trash.purge(Store(base), {})
    assert not outcome.runs
    assert "has no deleted.json" in outcome.kept[run_id]
    assert (base / "trash" / run_id / "run.json").exists()
    (base / "metadata.json").unlink()
    assert ExperimentTracker(base).create_run("x") == "run_002"
