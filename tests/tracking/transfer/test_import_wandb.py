"""Runs that W&B recorded offline are read without it: a real file, and files with every kind of damage."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from command_line import Say
from hypothesis import given
from hypothesis import strategies as st
from wandb_writer import START, exit_code, items, log_of, row, run

from tracking import ExperimentTracker
from tracking.errors import CorruptFileError, InvalidValueError
from tracking.transfer import Imported, SourceFormat, import_source, open_source
from tracking.transfer.protobuf import bytes_field
from tracking.transfer.wandb.log_blocks import BLOCK_BYTES, HEADER, read_records

# wandb 0.31.0 wrote it: init with a project, a name, a group, tags, notes and a config; six log calls; a summary value.
REAL = Path(__file__).parent / "wandb_files" / "run-32jfbemy.wandb"


def write(folder: Path, *records: bytes, name: str = "abc") -> Path:
    place = folder / "wandb" / f"offline-run-20231114_221320-{name}"
    place.mkdir(parents=True)
    path = place / f"run-{name}.wandb"
    path.write_bytes(log_of([*records]))
    return path


def take(base: Path, place: Path, **options: Any) -> Imported:
    return import_source(base, open_source(str(place), SourceFormat.WANDB, **options))


def values(tracker: ExperimentTracker, name: str) -> list[tuple[Any, Any]]:
    found = tracker.get_run("run_001")
    assert found is not None
    return [(point["step"], point["value"]) for point in found["metrics"][name]]


@pytest.mark.parametrize(
    "media",
    [
        {
            "img._type": "table-file",
            "img.size": 64,
            "img.nrows": 2,
            "img.ncols": 3,
            "img.path": "media/x.json",
        },
        {"val.img._type": "images/separated", "val.img.width": 3, "val.img.count": 2},
        {"img": {"_type": "table-file", "size": 64}},
        {"h._type": "histogram", "h.bins": [1, 2], "h.count": 3},
        {"deep.er.one._type": "html-file", "deep.er.one.size": 3, "deep.er.one.more.n": 4},
    ],
)
def test_what_stands_for_media_is_no_metric(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, media: dict[str, Any]
) -> None:
    logged = {**media, "loss": 0.5, "imgs.size": 3, "own.n": 1}
    summary = bytes_field(3, items({**logged, "best.auc": 0.7}))
    outcome = take(base, write(tmp_path, run(), row(0, logged), summary, exit_code(0)))
    assert outcome.damaged == {}
    assert set(tracker.records()[0].summary) == {"loss", "imgs.size", "own.n", "best.auc"}
    assert list(outcome.notes) == ["texts, media and tables of W&B's history are not imported"]


def test_a_file_of_a_real_wandb_is_imported_whole(tracker: ExperimentTracker, base: Path) -> None:
    outcome = take(base, REAL)
    assert (outcome.copied, outcome.points, outcome.damaged) == ({"wandb_files": "run_001"}, 22, {})
    record = tracker.record("run_001")
    assert record is not None
    assert (record.experiment_name, record.status.value, record.description) == ("ctr", "completed", "why")
    assert record.params == {
        "lr": 0.1,
        "dims": [256, 128],
        "opt.name": "adam",
        "opt.betas": [0.9, 0.99],
        "none": None,
        "flag": True,
        "late": 3,
    }
    assert record.tags == {
        "wandb.id": "32jfbemy",
        "wandb.project": "ctr",
        "wandb.group": "g1",
        "wandb.job_type": "train",
        "wandb.name": "first",
        "wandb.tags": "a, b",
    }
    assert values(tracker, "val/auc") == [(step, 0.5 + step / 10) for step in range(5)]
    assert values(tracker, "nest.x") == [(step, step) for step in range(5)]
    assert [str(value) for _, value in values(tracker, "bad")] == ["inf", "inf", "nan", "inf", "inf"]
    assert values(tracker, "loss")[-1] == (10, 0.1)
    assert values(tracker, "best") == [(None, 0.9)]
    assert 1.05 < (record.duration_s or 0) < 1.15
    summary = json.loads((base / "runs/run_001/artifacts/wandb-summary.json").read_text())
    assert (summary["best"], summary["nest"]) == (0.9, {"x": 4})


def test_a_run_is_imported_once_from_whichever_folder_is_given_with_its_files(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, run(config={"lr": 0.1}), row(0, {"loss": 1.5, "ok": True}), exit_code(0))
    (path.parent / "files" / "media").mkdir(parents=True)
    (path.parent / "files" / "output.log").write_text("hello")
    (path.parent / "files" / "media" / "a.txt").write_text("a")
    (path.parent / "files" / "link").symlink_to("/etc/hostname")
    (tmp_path / "wandb" / "latest-run").symlink_to(path.parent)
    name = path.parent.name
    assert take(base, tmp_path).copied == {name: "run_001"}
    for place in (tmp_path / "wandb", path.parent, path):
        assert list(take(base, place).present.values()) == ["run_001"]
    files = base / "runs" / "run_001" / "artifacts"
    assert sorted(each.relative_to(files).as_posix() for each in files.rglob("*") if each.is_file()) == [
        "media/a.txt",
        "output.log",
    ]
    assert values(tracker, "ok") == [(0, 1)]


def test_a_link_to_a_folder_elsewhere_is_not_followed(base: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "id_rsa").write_text("private")
    path = write(tmp_path / "given", run(), exit_code(0))
    (path.parent / "files").symlink_to(tmp_path / "elsewhere")
    outcome = take(base, tmp_path / "given")
    assert list(outcome.copied.values()) == ["run_001"]
    assert outcome.damaged == {path.parent.name: ["the files: they lie behind a link, which is not followed"]}
    assert not list((base / "runs" / "run_001" / "artifacts").rglob("*"))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "wandb").symlink_to(tmp_path / "given" / "wandb")
    with pytest.raises(InvalidValueError, match="holds no run of W&B"):
        take(base, tmp_path / "linked")
    assert list(take(base, tmp_path / "linked" / "wandb").present.values()) == ["run_001"]


@pytest.mark.parametrize(
    ("end", "status", "error"), [(exit_code(0), "completed", None), (exit_code(3), "failed", "exit code 3")]
)
def test_the_exit_code_is_the_status(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, end: bytes, status: str, error: str | None
) -> None:
    write(tmp_path, run(), end)
    take(base, tmp_path)
    record = tracker.record("run_001")
    assert record is not None
    assert (record.status.value, record.error) == (status, error)


def test_a_run_without_an_end_is_left_out_until_it_is_asked_for(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, say: Say
) -> None:
    write(tmp_path, run(), row(0, {"loss": 1.5}))
    code, out, err = say("import", str(tmp_path), "--store", str(base))
    assert (code, out) == (1, "Imported no runs\n")
    assert "it is running, or was killed; if it has ended, add --running" in err
    assert say("import", str(tmp_path), "--store", str(base), "--running")[0] == 0
    record = tracker.record("run_001")
    assert record is not None
    assert (record.status.value, record.created_at.timestamp()) == ("killed", START)


def test_texts_and_media_are_left_and_said_and_a_summary_of_its_own_is_kept(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    image = {"_type": "image-file", "path": "media/x.png"}
    summary = bytes_field(3, items({"best.auc": 0.9, "note": "x"}) + bytes_field(2, bytes_field(1, "gone")))
    first = bytes_field(3, items({"gone": 1, "loss": 1.5}))
    write(tmp_path, run(), row(0, {"loss": 1.5, "picture": image, "text": "x"}), first, summary, exit_code(0))
    assert list(take(base, tmp_path).notes) == ["texts, media and tables of W&B's history are not imported"]
    record = tracker.record("run_001")
    assert record is not None
    assert {name: each.last for name, each in record.summary.items()} == {"loss": 1.5, "best.auc": 0.9}


@given(st.lists(st.binary(max_size=40_000), max_size=6))
def test_records_of_any_length_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("log") / "run-a.wandb"
    path.write_bytes(log_of(records))
    damaged: list[str] = []
    assert (list(read_records(path, damaged)), damaged) == (records, [])


def test_a_file_that_is_cut_at_any_byte_has_its_whole_records(tmp_path: Path) -> None:
    records = [b"one", b"", b"x" * 50]
    whole, path = log_of(records), tmp_path / "run-a.wandb"
    ends = [len(log_of(records[:count])) for count in range(1, 4)]
    for cut in range(len(HEADER), len(whole) + 1):
        path.write_bytes(whole[:cut])
        damaged: list[str] = []
        assert list(read_records(path, damaged)) == records[: sum(end <= cut for end in ends)]
        assert damaged == []


def test_a_changed_byte_costs_the_rest_of_its_block_alone_and_is_named(tmp_path: Path) -> None:
    records = [b"a" * 1000, b"b" * 40_000, b"c" * 1000, b"d" * 40_000, b"e" * 1000]
    whole, path = bytearray(log_of(records)), tmp_path / "run-a.wandb"
    at = 7 + 7 + 1000 + 3  # in the checksum of the second record's first piece
    whole[at] ^= 1
    path.write_bytes(whole)
    damaged: list[str] = []
    assert list(read_records(path, damaged)) == [records[0], *records[2:]]
    assert damaged == ["the record at byte 1014 of run-a.wandb: its checksum or its type is wrong"]
    whole[at] ^= 1
    whole[BLOCK_BYTES + 5] ^= 0xFF  # a length in the second block, which a cut file would have too
    path.write_bytes(whole)
    assert list(read_records(path, damaged)) == [records[0], records[4]]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "does not begin as a file of W&B"),
        (b":W&B\xe1\xbe\x01xx", "has version 1 of W&B's format; this podium knows version 0"),
        (b"hello world", "does not begin as a file of W&B"),
    ],
)
def test_another_file_is_refused_in_a_sentence(tmp_path: Path, data: bytes, fault: str) -> None:
    path = tmp_path / "run-a.wandb"
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match=fault):
        list(read_records(path, []))


def test_whatever_is_damaged_costs_itself_and_is_named(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, say: Say
) -> None:
    bad_json = bytes_field(2, bytes_field(1, bytes_field(1, "loss") + bytes_field(16, "{not json")))
    write(tmp_path, run(), row(0, {"loss": 1.5, "line\nbreak": 1.0}), bad_json, b"\x0b", exit_code(0))
    write(tmp_path, b"", name="nameless")
    write(tmp_path, run("x", "line\nbreak"), exit_code(0), name="project")
    old = tmp_path / "wandb" / "old"
    old.mkdir()
    (old / "run-old.wandb").write_bytes(b":W&B\xe1\xbe\x01")
    (old / "run-link.wandb").symlink_to(REAL)
    os.mkfifo(old / "run-pipe.wandb")
    code, out, _ = say("import", str(tmp_path), "--store", str(base), "--json")
    told = json.loads(out)
    assert code == 1
    assert list(told["imported"].values()) == ["run_001", "run_002"]
    assert [run.experiment_name for run in tracker.records()] == ["ctr", "line\\nbreak"]
    assert sorted(told["left_out"]) == [
        "offline-run-20231114_221320-nameless",
        "old",
    ]
    (damaged,) = told["damaged"].values()
    assert [each.partition(" ")[0] for each in damaged] == ["record", "record", "metric"]
    assert values(tracker, "loss") == [(0, 1.5)]


def test_names_that_no_file_may_have_and_endless_nesting_cost_themselves(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    deep = bytes_field(5, items({".".join("x" * 3000): 1, "lr": 0.1}))
    path = write(tmp_path, run(), deep, row(0, {"loss": 1.5}), exit_code(0))
    (path.parent / "files").mkdir()
    (path.parent / "files" / "line\nbreak").write_text("x")
    (path.parent / "files" / "good").write_text("x")
    outcome = take(base, tmp_path)
    assert list(outcome.copied.values()) == ["run_001"]
    (damaged,) = outcome.damaged.values()
    assert damaged[0] == "the config, which is nested too deep"
    assert damaged[1].startswith("the file 'line\\nbreak' (")
    assert [each.name for each in (base / "runs/run_001/artifacts").iterdir()] == ["good"]
    assert values(tracker, "loss") == [(0, 1.5)]


@pytest.mark.parametrize("depth", [150, 300, 1200, 5000])
def test_a_summary_that_is_nested_too_deep_costs_that_value_alone(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, depth: int
) -> None:
    key = bytes_field(2, "deep") * depth + bytes_field(16, "1")
    deep = bytes_field(3, bytes_field(1, key) + items({"best": 0.9, "a.b": 2}))
    write(tmp_path, run(), row(0, {"loss": 1.5}), deep, exit_code(0))
    write(tmp_path, run("other"), exit_code(0), name="other")
    outcome = take(base, tmp_path)
    assert list(outcome.copied.values()) == ["run_001", "run_002"]
    assert list(outcome.damaged) == ["offline-run-20231114_221320-abc"]
    summary = json.loads((base / "runs/run_001/artifacts/wandb-summary.json").read_text())
    assert (summary["best"], summary["a"]) == (0.9, {"b": 2})
    assert values(tracker, "loss") == [(0, 1.5)]


def test_what_looks_secret_in_a_summary_is_masked(base: Path, tmp_path: Path) -> None:
    secrets = {"api_key": "hunter2abc", "at": "https://me:pw12345678@host/x", "in.api_key": "hunter2abc"}
    write(tmp_path, run(), bytes_field(3, items(secrets)), exit_code(0))
    take(base, tmp_path)
    text = (base / "runs/run_001/artifacts/wandb-summary.json").read_text()
    assert json.loads(text) == {"api_key": "***", "at": "https://me:***@host/x", "in": {"api_key": "***"}}
