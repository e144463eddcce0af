"""Folders of event files become runs, and are read again without repeating a point."""

import json
import os
import shutil
import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from command_line import Say
from event_files import START, add, begin, take, values

from tracking import ExperimentTracker
from tracking.metrics import metrics_json
from tracking.transfer import Imported
from tracking.transfer.tensorboard.event_messages import hparams_event, scalar_event
from tracking.transfer.tensorboard.frames import MAX_FRAME_BYTES, crc32c, framed, masked

ROOT = Path(__file__).resolve().parents[3]


def test_each_folder_is_a_run_with_points_parameters_and_times(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    logs = tmp_path / "lightning_logs"
    first = begin(logs / "version_0")
    with first.open("ab") as file:
        file.write(framed(hparams_event(START, {"lr": 0.1, "layers": 3, "on": True, "name": "mlp"})))
    for step in range(3):
        add(first, step, {"train/loss": 1 / (step + 1), "acc": step / 10})
    add(begin(logs / "version_1", at=START + 60), 0, {"acc": 0.5})
    outcome = take(base, logs)
    assert outcome == Imported({"version_0": "run_001", "version_1": "run_002"}, points=7)
    record = tracker.record("run_001")
    assert record is not None
    assert (record.experiment_name, record.status.value) == ("lightning_logs", "ended")
    assert record.params == {"lr": 0.1, "layers": 3, "on": True, "name": "mlp"}
    assert record.tags == {"tensorboard.run": "version_0"}
    assert record.created_at.timestamp() == START
    assert record.finished_at is not None
    assert record.finished_at.timestamp() == START + 2
    assert values(tracker, "run_001", "acc") == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert record.summary["train/loss"].min == 0.33333334
    told = json.loads((base / "runs/run_001/run.json").read_text())["imported_from"]
    assert told == {"store": str(logs), "run_id": "version_0"}


LEVELS = ["logs", "logs/team", "logs/team/a", "logs/team/../team/a", "linked/team"]


@pytest.mark.parametrize("first", LEVELS)
@pytest.mark.parametrize("second", LEVELS)
def test_a_run_is_imported_once_at_whatever_folder_around_it(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, first: str, second: str
) -> None:
    path = begin(tmp_path / "logs" / "team" / "a")
    add(path, 0, {"loss": 1.0})
    (tmp_path / "linked").symlink_to(tmp_path / "logs")
    assert list(take(base, tmp_path / first).copied.values()) == ["run_001"]
    add(path, 1, {"loss": 0.5})
    again = take(base, tmp_path / second)
    assert (again.copied, list(again.present.values())) == ({}, ["run_001"])
    assert list(again.grown.values()) == [1]
    assert values(tracker, "run_001", "loss") == [(0, 1.0), (1, 0.5)]
    tracker.delete_run("run_001")
    (reason,) = take(base, tmp_path / second).left_out.values()
    assert "it was deleted here and is in the trash as run_001" in reason


@pytest.mark.parametrize(
    "name", ["ends\n", "a\nStatus: failed", "tab\t", "red \x1b[31m", "cr\r", "\u2028 line", "\x9b0m"]
)
def test_the_name_of_a_folder_is_shown_on_one_line(base: Path, tmp_path: Path, say: Say, name: str) -> None:
    add(begin(tmp_path / "logs" / name), 0, {"loss": 1.0})
    take(base, tmp_path / "logs")
    code, out, err = say("show", "run_001", "--store", str(base))
    assert (code, err) == (0, "")
    assert all(char.isprintable() or char == "\n" for char in out)
    tags, after = (line for line in out.splitlines() if line.startswith(("Tags: ", "Folder: ")))
    assert tags == f"Tags: tensorboard.run={repr(name)[1:-1]}"
    assert after.startswith("Folder: ")


def test_a_copy_of_a_run_in_a_folder_beside_it_is_a_run_of_its_own(base: Path, tmp_path: Path) -> None:
    add(begin(tmp_path / "logs" / "a"), 0, {"loss": 1.0})
    shutil.copytree(tmp_path / "logs" / "a", tmp_path / "logs" / "b")
    assert take(base, tmp_path / "logs").copied == {"a": "run_001", "b": "run_002"}
    assert list(take(base, tmp_path / "logs" / "b").present.values()) == ["run_002"]


def test_a_repeated_import_adds_what_is_new_and_repeats_no_point(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    path = begin(tmp_path / "logs" / "a")
    add(path, 0, {"loss": 1.0})
    assert take(base, tmp_path / "logs").copied == {"a": "run_001"}
    assert take(base, tmp_path / "logs") == Imported(present={"a": "run_001"})
    add(path, 1, {"loss": 0.5, "acc": 0.1})
    add(path, 1, {"loss": 0.5})  # again, at the same moment
    later = begin(tmp_path / "logs" / "a", "events.out.tfevents.1700000100.host.2.0", at=START + 100)
    add(later, 2, {"loss": float("nan")})
    dry = take(base, tmp_path / "logs", dry_run=True)
    assert dry.grown == {"a": 4}
    outcome = take(base, tmp_path / "logs")
    assert (outcome.grown, outcome.copied, outcome.present) == ({"a": 4}, {}, {"a": "run_001"})
    assert [step for step, _ in values(tracker, "run_001", "loss")] == [0, 1, 1, 2]
    assert values(tracker, "run_001", "acc") == [(1, 0.1)]
    record = tracker.record("run_001")
    assert record is not None
    assert record.status.value == "ended"
    assert record.finished_at is not None
    assert record.finished_at.timestamp() == START + 100  # as the source says
    assert record.summary["loss"].count == 4
    assert take(base, tmp_path / "logs") == Imported(present={"a": "run_001"})


def test_a_run_that_a_user_has_finished_keeps_its_status_as_it_grows(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, say: Say
) -> None:
    path = begin(tmp_path / "logs" / "a")
    add(path, 0, {"loss": 1.0})
    take(base, tmp_path / "logs")
    assert say("finish", "run_001", "--status", "completed", "--store", str(base))[0] == 0
    add(path, 1, {"loss": 0.5})
    assert take(base, tmp_path / "logs").grown == {"a": 1}
    record = tracker.record("run_001")
    assert record is not None
    assert record.status.value == "completed"


def test_a_folder_that_was_moved_is_the_same_run(base: Path, tmp_path: Path) -> None:
    add(begin(tmp_path / "logs" / "a"), 0, {"loss": 1.0})
    take(base, tmp_path / "logs")
    shutil.copytree(tmp_path / "logs", tmp_path / "elsewhere")
    assert take(base, tmp_path / "elsewhere").present == {"a": "run_001"}


def test_what_add_hparams_of_pytorch_writes_belongs_to_the_run_around_it(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    add(begin(tmp_path / "logs"), 0, {"loss": 1.0})
    inner = begin(
        tmp_path / "logs" / "1700000001.123", "events.out.tfevents.1700000001.host.1.1", at=START + 1
    )
    with inner.open("ab") as file:
        file.write(framed(hparams_event(START, {"lr": 0.1})))
    add(inner, 0, {"hparam/acc": 0.7})
    assert take(base, tmp_path / "logs").copied == {".": "run_001"}
    record = tracker.record("run_001")
    assert record is not None
    assert (record.params, sorted(record.summary)) == ({"lr": 0.1}, ["hparam/acc", "loss"])


@pytest.mark.parametrize("cut", [1, 11, 12, 20, 60])
def test_a_torn_last_record_is_taken_when_it_is_whole(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, cut: int
) -> None:
    path = begin(tmp_path / "logs" / "a")
    add(path, 0, {"loss": 1.0})
    whole = path.read_bytes()
    add(path, 1, {"loss": 0.5})
    rest = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + rest[: min(cut, len(rest) - 1)])
    assert (take(base, tmp_path / "logs").points, take(base, tmp_path / "logs").damaged) == (1, {})
    path.write_bytes(whole + rest)
    assert take(base, tmp_path / "logs").grown == {"a": 1}


def test_damage_is_named_with_its_place_and_costs_no_other_point(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, say: Say
) -> None:
    logs = tmp_path / "logs"
    path = begin(logs / "a")
    add(path, 0, {"loss": 1.0})
    at = path.stat().st_size
    add(path, 1, {"loss": 0.5, "line\nbreak": 1.0})
    add(path, 2, {"loss": 0.25}, at=float("nan"))
    with path.open("ab") as file:
        file.write(framed(b"\x0b"))
    add(path, 3, {"loss": 0.1})
    data = bytearray(path.read_bytes())
    data[at + 15] ^= 1
    path.write_bytes(data)
    (logs / "link").symlink_to(logs / "a")
    (logs / "b").mkdir()
    (logs / "b" / "events.out.tfevents.1.x").symlink_to(path)
    os.mkfifo(logs / "b" / "events.out.tfevents.2.x")
    code, out, err = say("import", str(logs), "--store", str(base), "--json")
    told = json.loads(out)
    assert (code, told["imported"]) == (1, {"a": "run_001"})
    assert told["damaged"]["a"][0] == f"the record at byte {at} of {path.name}: its checksum is wrong"
    assert "has the wire type 3" in told["damaged"]["a"][1]
    assert [step for step, _ in values(tracker, "run_001", "loss")] == [0, 2, 3]
    assert f"the record at byte {at}" in err


def test_what_is_no_scalar_is_said_and_left(base: Path, tmp_path: Path, say: Say) -> None:
    path = begin(tmp_path / "logs" / "a")
    with path.open("ab") as file:
        file.write(framed(b"\x22\x05graph"))
    code, _, err = say("import", str(tmp_path / "logs"), "--store", str(base))
    assert (code, err) == (0, "tracking: a: graphs of TensorBoard are not imported\n")


def test_a_huge_record_is_said_and_left(base: Path, tmp_path: Path) -> None:
    path = begin(tmp_path / "logs" / "a")
    length = struct.pack("<Q", MAX_FRAME_BYTES + 1)
    with path.open("ab") as file:
        file.write(length + struct.pack("<I", masked(crc32c(length))))
        file.truncate(file.tell() + MAX_FRAME_BYTES + 1 + 4)
    add(path, 0, {"loss": 1.0})
    assert take(base, tmp_path / "logs") == Imported(
        {"a": "run_001"},
        points=1,
        notes={"records of more than 64 MiB of TensorBoard are not imported": ["a"]},
    )


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_the_same_points_are_known_in_another_time_zone(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    add(begin(tmp_path / "logs" / "a"), 0, {"loss": 1.0})
    try:
        monkeypatch.setenv("TZ", "America/New_York")
        time.tzset()
        take(base, tmp_path / "logs")
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert take(base, tmp_path / "logs") == Imported(present={"a": "run_001"})
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_deleted_run_does_not_come_back(tracker: ExperimentTracker, base: Path, tmp_path: Path) -> None:
    add(begin(tmp_path / "logs" / "a"), 0, {"loss": 1.0})
    take(base, tmp_path / "logs")
    tracker.delete_run("run_001")
    assert "in the trash as run_001" in take(base, tmp_path / "logs").left_out["a"]


def test_a_filter_and_an_experiment_choose_among_runs(base: Path, tmp_path: Path, say: Say) -> None:
    for name, value in (("a", 0.5), ("b", 0.9)):
        add(begin(tmp_path / "logs" / name, at=START + len(name) + value), 0, {"acc": value})
    words = ("import", str(tmp_path / "logs"), "--store", str(base))
    assert say(*words, "--filter", "acc > 0.8", "--dry-run") == (
        0,
        "Would import 1 run (b) with 1 point\n",
        "",
    )
    assert "no runs of an experiment 'x' in " in say(*words, "--experiment", "x")[2]
    assert "neither --dry-run nor --filter" in say(*words, "--follow", "--dry-run")[2]


def test_a_folder_may_have_any_name_and_be_named_by_a_link(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, say: Say
) -> None:
    odd = os.fsdecode(b"caf\xe9 \n")
    add(begin(tmp_path / "logs" / odd), 0, {"loss": 1.0})
    (tmp_path / "latest").symlink_to(tmp_path / "logs")
    code, out, _ = say("import", str(tmp_path / "latest"), "--store", str(base))
    assert (code, out.count("\n")) == (0, 3)
    (record,) = tracker.records()
    assert (record.experiment_name, record.tags["tensorboard.run"]) == ("logs", "caf\\udce9 \n")
    assert take(base, tmp_path / "logs").present == {odd: "run_001"}


def test_points_are_in_memory_once_while_they_are_imported(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_json, "BLOCK_POINTS", 500)
    path, count = begin(tmp_path / "logs" / "a"), 6_000
    with path.open("ab") as file:
        for step in range(count):
            file.write(framed(scalar_event(START + step, step, {"loss": 1 / (step + 1)})))
    tracemalloc.start()
    try:
        assert take(base, tmp_path / "logs").points == count
        assert tracemalloc.get_traced_memory()[1] < 700 * count
    finally:
        tracemalloc.stop()


def test_of_many_equal_faults_some_are_named_and_the_others_counted(base: Path, tmp_path: Path) -> None:
    path = begin(tmp_path / "logs" / "a")
    for step in range(30):
        add(path, step, {"loss": 1.0}, at=-1e11)
    outcome = take(base, tmp_path / "logs")
    assert len(outcome.damaged["a"]) == 21
    assert outcome.damaged["a"][-1] == "10 further points of the metric 'loss'"
