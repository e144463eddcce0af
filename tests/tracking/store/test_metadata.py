"""metadata.json: the published list of all runs, kept up to date by every process that changes one."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import CorruptFileError, ExperimentTracker, StoreUnwritableError, job_context
from tracking.doctor import examine
from tracking.files import locks
from tracking.store import published
from tracking.store.published import encode_list, read_metadata
from tracking.store.store import Store

TEXTS = st.one_of(st.text(), st.sampled_from(["\n  },\n  {", '"run_id": "run_9"', "},{", "]\n", "é", ""]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
ENTRIES = st.dictionaries(
    st.one_of(st.integers(1, 30).map("run_{:03d}".format), st.sampled_from(["mine", "a{b", "10"])),
    st.dictionaries(st.sampled_from(["tags", "description", "x"]), VALUES),
    max_size=6,
)


def entry_of(run_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"run_id": run_id, **fields}


def entries_in(base: Path) -> list[dict[str, Any]]:
    return json.loads((base / "metadata.json").read_text())


@given(entries=ENTRIES)
def test_the_list_is_written_as_one_indented_array(entries: dict[str, Any]) -> None:
    listed = {run_id: entry_of(run_id, fields) for run_id, fields in entries.items()}
    text = encode_list(dict(listed))
    assert json.loads(text) == list(listed.values())
    assert text.startswith(b'[\n  {\n    "run_id": "' if listed else b"[]")
    assert text.endswith(b"\n  }\n]\n" if listed else b"[]\n")


@given(entries=ENTRIES, indent=st.sampled_from([None, 1, 2, 4]))
def test_a_list_of_other_code_is_read_however_it_is_indented(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, Any], indent: int | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "metadata.json"
    listed = {run_id: entry_of(run_id, fields) for run_id, fields in entries.items()}
    path.write_text(json.dumps(list(listed.values()), indent=indent))
    assert read_metadata(path) == listed


@pytest.mark.parametrize("text", ["", "{", "[3]", '[{"run_id": "a",}]', "{}"])
def test_a_file_that_is_not_a_list_of_runs_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metadata.json"
    path.write_text(text)
    with pytest.raises(CorruptFileError, match=r"is not valid JSON|must hold a list of runs"):
        read_metadata(path)


def test_a_run_whose_number_is_not_the_highest_is_listed_in_its_place(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_ids = [tracker.create_run("x") for _ in range(3)]
    tracker.finish_run(run_ids[1])
    tracker.delete_run(run_ids[1])
    assert [entry["run_id"] for entry in entries_in(base)] == [run_ids[0], run_ids[2]]
    tracker.restore_run(run_ids[1])
    assert [entry["run_id"] for entry in entries_in(base)] == run_ids


def test_what_was_published_by_the_same_tracker_is_not_read_again(
    tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.create_run("x")

    def refuse(*_: object) -> None:
        raise AssertionError("metadata.json was read again")

    with monkeypatch.context() as patch:
        patch.setattr(published, "read_metadata", refuse)
        run_id = tracker.create_run("x")
        tracker.finish_run(run_id)
    assert [entry["status"] for entry in entries_in(base)] == ["running", "completed"]


def test_two_trackers_that_publish_in_turn_keep_the_entries_of_the_other(base: Path) -> None:
    one, two = ExperimentTracker(base), ExperimentTracker(base)
    for number in range(5):
        for tracker in (one, two):
            tracker.finish_run(tracker.create_run(f"x{number}"))
    before = (base / "metadata.json").read_bytes()
    assert {entry["status"] for entry in entries_in(base)} == {"completed"}
    assert len(entries_in(base)) == 10
    one.publish()
    assert (base / "metadata.json").read_bytes() == before


def test_fields_added_to_an_entry_by_hand_stay_until_the_run_changes(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_ids = [tracker.create_run("x") for _ in range(3)]
    entries = entries_in(base)
    entries[0]["note"] = "mine"
    (base / "metadata.json").write_text(json.dumps(entries))
    tracker.finish_run(run_ids[1])
    assert entries_in(base)[0]["note"] == "mine"
    tracker.finish_run(run_ids[0])
    assert "note" not in entries_in(base)[0]


def test_the_list_of_other_code_is_kept_as_it_was_before_the_first_write(
    base: Path, write_plain_store: Callable[..., None]
) -> None:
    write_plain_store(2)
    entries = entries_in(base)
    entries[0]["owner"] = "me"
    entries += [{**entries[0], "run_id": "run_009"}, {**entries[0], "run_id": "../odd"}, {"no": "id"}]
    (base / "metadata.json").write_text(json.dumps(entries, indent=4))
    before = (base / "metadata.json").read_bytes()
    ExperimentTracker(base).list_runs()
    kept = base / "metadata.json.before-podium"
    assert not kept.exists()
    for number in (3, 4):
        run_id = ExperimentTracker(base).create_run("x")
        assert kept.read_bytes() == before
        assert [entry["run_id"] for entry in entries_in(base)][number - 1 :] == [run_id]


def test_a_store_of_our_own_keeps_no_copy_of_its_list(tracker: ExperimentTracker, base: Path) -> None:
    tracker.finish_run(tracker.create_run("x"))
    ExperimentTracker(base).publish()
    assert [path.name for path in base.iterdir() if path.is_file()] == ["metadata.json"]


def test_a_run_without_a_folder_is_dropped_by_the_next_scan(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("x")
    kept = tracker.create_run("x")
    (base / "runs" / run_id).rename(base / "aside")
    ExperimentTracker(base).publish()
    assert [entry["run_id"] for entry in entries_in(base)] == [kept]


def test_a_run_that_its_process_could_not_publish_is_found_by_the_next_scan(base: Path) -> None:
    one = ExperimentTracker(base)
    one.create_run("x")
    (base / "runs" / "run_002").mkdir()
    entry = json.loads((base / "runs" / "run_001" / "run.json").read_text())
    (base / "runs" / "run_002" / "run.json").write_text(json.dumps({**entry, "experiment_name": "y"}))
    ExperimentTracker(base).create_run("z")
    assert [entry["experiment_name"] for entry in entries_in(base)] == ["x", "y", "z"]


@pytest.mark.parametrize("odd", [["a"], 5, {"deep": json.loads("[" * 90 + "]" * 90)}, {"\ud800": "\udcff"}])
@pytest.mark.parametrize("is_foreign", [False, True])
def test_a_run_with_malformed_tags_does_not_stop_others(
    odd: Any, is_foreign: bool, base: Path, write_plain_store: Callable[..., None]
) -> None:
    if is_foreign:
        write_plain_store(1)
        entries = entries_in(base)
        entries[0].update(tags=odd, description="\ud800")
        (base / "metadata.json").write_text(json.dumps(entries))
    else:
        ExperimentTracker(base).create_run("ctr")
        file = base / "runs" / "run_001" / "run.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "tags": odd, "description": "\ud800"}))
    tracker = ExperimentTracker(base)
    assert tracker.create_run("ctr") == "run_002"
    tracker.publish()
    assert entries_in(base)[-1]["run_id"] == "run_002"
    assert [run["run_id"] for run in tracker.list_runs()][-1] == "run_002"
    examine(Store(base))


def test_a_tag_of_more_than_64_bits_is_listed(tracker: ExperimentTracker, base: Path) -> None:
    tracker.create_run("ctr", tags={"build": 2**70, "part": [-(2**64)]})
    assert [entry["tags"] for entry in entries_in(base)] == [{"build": 2**70, "part": [-(2**64)]}]
    assert [run["tags"]["build"] for run in tracker.list_runs()] == [2**70]
    assert [run.run_id for run in tracker.search_runs(f"build == {2**70}")] == ["run_001"]


def test_a_run_nested_deeper_than_json_readers_go_is_left_out_of_the_list(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ExperimentTracker(base).create_run("ctr")
    file = base / "runs" / "run_001" / "run.json"
    file.write_text(
        json.dumps({**json.loads(file.read_text()), "tags": {"deep": json.loads("[" * 90 + "]" * 90)}})
    )
    file.write_text(file.read_text().replace("[" * 90, "[" * 300).replace("]" * 90, "]" * 300))
    assert ExperimentTracker(base).create_run("ctr") == "run_002"
    assert [entry["run_id"] for entry in entries_in(base)] == ["run_002"]
    assert "cannot be listed" in caplog.text
    examine(Store(base))


def test_a_link_in_the_place_of_the_lock_stops_no_run(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    lock = Store(base).paths.metadata_lock
    lock.parent.mkdir(parents=True)
    lock.symlink_to(outside)
    tracker = ExperimentTracker(base)
    with tracker.start_run("ctr") as run:
        run.log({"auc": 0.5})
    assert tracker.record(run.run_id).status == "completed"
    assert "metadata.json is not up to date" in caplog.text
    lock.unlink()
    tracker.publish()
    assert [entry["status"] for entry in entries_in(base)] == ["completed"]


def test_a_lock_held_too_long_does_not_delay_a_run_and_loses_nothing(base: Path) -> None:
    code = """
import sys
from tracking import ExperimentTracker
from tracking.store import published
published.WAIT_S = 0.0
tracker = ExperimentTracker(sys.argv[1])
tracker.finish_run(tracker.create_run("ctr"))
print("finished", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(base)]
    pipe = subprocess.PIPE
    with locks.lock(Store(base).paths.metadata_lock):
        worker = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert worker.stdout.readline() == "finished\n"
        assert not (base / "metadata.json").exists()
    _, told = worker.communicate()
    assert worker.returncode == 0
    assert "metadata.json is not up to date" in told
    assert "another process has locked it for more than 0 s" in told
    assert [entry["status"] for entry in entries_in(base)] == ["completed"]


def test_a_forced_publication_raises_when_the_lock_is_held_too_long(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = ExperimentTracker(base)
    tracker.create_run("ctr")
    monkeypatch.setattr(locks, "LOCK_WAIT_S", 0.0)
    with ThreadPoolExecutor(1) as pool, locks.lock(Store(base).paths.metadata_lock):
        told = pool.submit(tracker.publish).exception()
    assert isinstance(told, StoreUnwritableError)
    assert "another process has locked it for more than 0 s" in str(told)


def test_a_store_whose_name_is_not_utf_8_is_published_with_the_name_escaped(tmp_path: Path) -> None:
    base = tmp_path / "caf\udce9"
    tracker = ExperimentTracker(base)
    run_id = tracker.create_run("ctr")
    tracker.finish_run(run_id)
    assert [entry["run_dir"] for entry in entries_in(base)] == [r"caf\udce9/runs/run_001"]
    assert tracker.get_run(run_id)["run_dir"].endswith(r"caf\udce9/runs/run_001")
    assert [record.run_dir for record in tracker.search_runs()] == [base / "runs" / run_id]
    assert examine(Store(base)).findings == []


def refuse(*_: object) -> None:
    raise AssertionError("the list was read, or all runs were looked at")


def make_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any list be a long one, which was published a moment ago."""
    monkeypatch.setattr(published, "COMPLETE_BYTES", 10)
    monkeypatch.setattr(published, "RATE_SHARE", 1e9)


def test_a_run_in_a_store_of_many_runs_reads_no_list_and_is_in_it_when_its_process_ends(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ExperimentTracker(base).create_run("x")
    make_long(monkeypatch)
    store = Store(base)
    tracker = ExperimentTracker(base)
    tracker._store = store
    with monkeypatch.context() as patch:
        patch.setattr(published, "read_metadata", refuse)
        patch.setattr(published, "list_runs", refuse)
        tracker.finish_run(tracker.create_run("x"))
    assert [entry["run_id"] for entry in entries_in(base)] == ["run_001"]
    store.publisher.catch_up()
    assert [entry["status"] for entry in entries_in(base)] == ["running", "completed"]


@pytest.mark.parametrize("is_long", [False, True])
def test_a_job_looks_at_no_other_run_and_leaves_a_long_list_to_the_end_of_its_sweep(
    base: Path, monkeypatch: pytest.MonkeyPatch, is_long: bool
) -> None:
    parent = ExperimentTracker(base)
    parent.create_run("x")
    if is_long:
        make_long(monkeypatch)
    store, tracker = Store(base), ExperimentTracker(base)
    tracker._store = store
    folder = base / "sweeps" / "s" / "jobs" / "0"
    folder.mkdir(parents=True)
    with (
        monkeypatch.context() as patch,
        job_context(sweep="s", job=0, key="k", config_hash="h", folder=folder),
    ):
        patch.setattr(published, "list_runs", refuse)
        tracker.finish_run(tracker.create_run("x"))
        store.publisher.catch_up()
    assert len(entries_in(base)) == (1 if is_long else 2)
    parent.publish()
    assert [entry["status"] for entry in entries_in(base)] == ["running", "completed"]
