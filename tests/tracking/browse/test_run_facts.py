"""What a page says of one run and of several side by side, also where its files are damaged or hostile."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from plain_json import assert_plain

from tracking import ExperimentTracker, InvalidNameError, UnknownRunError
from tracking.browse import run_facts, run_files
from tracking.browse.reader import StoreReader
from tracking.errors import InvalidValueError, MissingFileError
from tracking.paths import RunPaths, StorePaths

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


@pytest.fixture
def paths(tracker: ExperimentTracker, base: Path) -> RunPaths:
    with tracker.start_run(
        "ctr_model",
        params={"lr": 0.1, "dims": [1, 2]},
        tags={"team": "ml"},
        config={"lr": 0.1},
        description="a run",
    ) as run:
        run.log({"auc": 0.5}, step=0)
        run.log({"auc": math.nan}, step=1)
        (run.artifacts_dir / "plots").mkdir()
        (run.artifacts_dir / "plots/roc.png").write_bytes(PNG)
        (run.artifacts_dir / "page.html").write_text("<script>alert(1)</script>")
    return StorePaths(base).run("run_001")


def test_a_run_is_shown_with_all_there_is(paths: RunPaths, reader: StoreReader) -> None:
    paths.output.write_text("hello\n")
    paths.patch.write_text("diff")
    paths.overrides.write_text('- "lr=0.1"\n- plain=1\n')
    sample = {"cpu_percent": 50.0, "rss_bytes": 1000, "processes": 1}
    gpu = {"index": 0, "busy_percent": 10, "memory_bytes": 5}
    lines = [
        {**sample, "timestamp": "2026-11-15T10:00:00+00:00", "gpus": [gpu]},
        "x",
        {**sample, "timestamp": 3},
    ]
    paths.usage.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{torn")
    run = reader.run("run_001")
    assert_plain(run)
    assert (run["status"], run["experiment"], run["description"]) == ("completed", "ctr_model", "a run")
    assert run["params"] == {"lr": 0.1, "dims": [1, 2]}
    assert run["metrics"][0]["last"] == "NaN"
    assert (run["metrics"][0]["max"], run["metrics"][0]["count"]) == (0.5, 2)
    files = {each["path"]: each for each in run["files"]}
    assert files["artifacts/plots/roc.png"] == {"path": "artifacts/plots/roc.png", "size": 24, "image": True}
    assert not files["artifacts/page.html"]["image"]
    assert {"run.json", "config.yaml", "stdout.log"} <= files.keys()
    assert (run["has_output"], run["output_size"], run["patch"]) == (True, 6, "diff")
    assert run["overrides"] == ["lr=0.1", "plain=1"]
    assert "lr: 0.1" in run["config"]
    assert (run["usage"]["cpu"], run["usage"]["memory"]) == ([50.0], [1000])
    assert run["usage"]["gpus"] == [{"index": 0, "busy": [10], "memory": [5]}]
    assert run["environment"]["python"]
    assert run["left_out"] == []


def test_a_failed_run_shows_its_traceback(tracker: ExperimentTracker, reader: StoreReader) -> None:
    with pytest.raises(ValueError, match="two lines"), tracker.start_run("ctr_model"):
        raise ValueError("two lines:\nthe second")
    run = reader.run("run_001")
    assert run["status"] == "failed"
    assert "Traceback" in run["error"]
    assert "the second" in run["error"]
    assert run["error_line"].startswith("ValueError: two lines")


def test_large_texts_are_cut(paths: RunPaths, reader: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_facts, "PATCH_BYTES", 1000)
    paths.patch.write_text("ä" * 5000)
    patch = reader.run("run_001")["patch"]
    assert len(patch.encode()) < 1100
    assert patch.endswith("... cut: 10,000 bytes in all\n")
    with paths.patch.open("r+b") as file:
        file.truncate(10 << 30)  # a sparse file of 10 GB
    assert "10,737,418,240 bytes" in reader.run("run_001")["patch"]


def test_damaged_files_cost_only_themselves(paths: RunPaths, reader: StoreReader) -> None:
    paths.environment.write_text("{")
    paths.git.write_text("[1]")
    paths.config.unlink()
    paths.config.symlink_to("/etc/hostname")
    paths.usage.mkdir()
    run = reader.run("run_001")
    assert (run["environment"], run["git"], run["config"], run["usage"]) == (None, None, None, None)
    assert len(run["left_out"]) == 4
    assert all("/" in each for each in run["left_out"])


@pytest.mark.parametrize(
    "run_id", ["../runs/run_001", "", ".", "run_001/", "a\0b", "run_001\n", "x" * 3000, "\udcff"]
)
def test_names_that_are_no_run_are_refused(paths: RunPaths, reader: StoreReader, run_id: str) -> None:
    for ask in (
        lambda: reader.run(run_id),
        lambda: reader.file(run_id, "run.json"),
        lambda: reader.output(run_id, start=0, most=10),
        lambda: reader.follow(run_id),
        lambda: reader.follow_text(run_id),
        lambda: reader.curves([run_id], ["auc"]),
    ):
        with pytest.raises((InvalidNameError, UnknownRunError)):
            ask()
    assert reader.compare([run_id])["missing"]


def test_a_file_of_a_run_is_opened(paths: RunPaths, reader: StoreReader) -> None:
    found = reader.file("run_001", "artifacts/plots/roc.png")
    with found.stream:
        assert (found.stream.read(), found.size, found.name, found.image) == (PNG, 24, "roc.png", "image/png")
    page = reader.file("run_001", "artifacts/page.html")
    with page.stream:
        assert page.image is None


def test_a_file_that_only_claims_to_be_a_picture_is_none(paths: RunPaths, reader: StoreReader) -> None:
    (paths.artifacts / "evil.png").write_text("<script>alert(1)</script>")
    found = reader.file("run_001", "artifacts/evil.png")
    with found.stream:
        assert found.image is None
    assert not any(each["image"] for each in reader.run("run_001")["files"] if "evil" in each["path"])


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../run_002/run.json",
            "/etc/passwd",
            "artifacts/../run.json",
            "artifacts",
            "",
            ".",
            "artifacts//page.html",
        ),
        *(
            "link",
            "artifacts/link/hostname",
            "artifacts/pipe",
            "gone",
            "a\0b",
            "\udcff",
            "x" * 5000,
            "a/" * 100 + "b",
        ),
    ],
)
def test_nothing_but_a_regular_file_of_the_run_is_opened(
    paths: RunPaths, reader: StoreReader, path: str
) -> None:
    (paths.folder / "link").symlink_to("/etc/hostname")
    (paths.artifacts / "link").symlink_to("/etc")
    os.mkfifo(paths.artifacts / "pipe")
    with pytest.raises(MissingFileError):
        reader.file("run_001", path)
    listed = {each["path"] for each in reader.run("run_001")["files"]}
    assert not listed & {"link", "artifacts/link", "artifacts/pipe", "artifacts/link/hostname"}


def test_a_run_that_is_a_link_is_not_followed(
    paths: RunPaths, reader: StoreReader, base: Path, tmp_path: Path
) -> None:
    paths.folder.rename(tmp_path / "elsewhere")
    paths.folder.symlink_to(tmp_path / "elsewhere")
    for ask in (lambda: reader.file("run_001", "run.json"), lambda: reader.run("run_001")):
        with pytest.raises(ValueError, match="link"):
            ask()


def test_very_many_files_are_counted(
    paths: RunPaths, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "MOST_FILES", 5)
    run = reader.run("run_001")
    assert len(run["files"]) == 5
    assert run["files_left_out"] > 0


def test_file_names_of_any_bytes_are_listed(paths: RunPaths, reader: StoreReader) -> None:
    Path(os.fsdecode(os.fsencode(paths.artifacts) + b"/a\xff\n<b>.txt")).write_text("x")
    assert_plain(reader.run("run_001"))


def test_runs_are_compared_side_by_side(tracker: ExperimentTracker, reader: StoreReader) -> None:
    for lr, extra in ((0.1, {}), (0.2, {"note": "x"})):
        with tracker.start_run("ctr_model", params={"lr": lr, "epochs": 5, **extra}, tags={"a": 1}) as run:
            run.log({"auc": lr}, step=3)
    found = reader.compare(["run_002", "run_001", "run_404", "run_002"])
    assert_plain(found)
    assert [run["run_id"] for run in found["runs"]] == ["run_002", "run_001"]
    params = {row["name"]: row for row in found["params"]}
    assert params["lr"] == {"name": "lr", "values": [0.2, 0.1], "differs": True}
    assert params["epochs"]["differs"] is False
    assert params["note"] == {"name": "note", "values": ["x", None], "differs": True}
    assert found["tags"] == [{"name": "a", "values": [1, 1], "differs": False}]
    auc = found["metrics"][0]
    assert (auc["last"], auc["max"], auc["step"]) == ([0.2, 0.1], [0.2, 0.1], [3, 3])
    assert found["missing"] == ["run_404"]
    with pytest.raises(InvalidValueError, match="too many"):
        reader.compare([f"run_{number}" for number in range(1001)])


def test_a_run_of_other_code_is_shown(write_plain_store: Any, reader: StoreReader) -> None:
    write_plain_store(2, nan=True)
    run = reader.run("run_001")
    assert_plain(run)
    assert (run["status"], run["environment"], run["git"]) == ("completed", None, None)
    assert_plain(reader.compare(["run_001", "run_002"]))
    assert_plain(reader.curves(["run_001"], ["val_auc", "odd"]))
    page = reader.follow("run_002")
    assert_plain(page.read().lines)
    page.close()


@pytest.mark.parametrize("damaged", ["metrics.json", "params.json"])
def test_a_damaged_file_leaves_the_rest_of_a_run_in_sight(tmp_path: Path, damaged: str) -> None:
    tracker = ExperimentTracker(tmp_path)
    with tracker.start_run("x", params={"lr": 1}, description="told") as run:
        run.log({"loss": 0.5}, step=1)
        run.log({"loss": 0.4}, step=2)
    (run.run_dir / "summary.json").unlink()
    (run.run_dir / damaged).write_text('{"lo')
    facts = StoreReader(tmp_path).run(run.run_id)
    assert facts["description"] == "told"
    assert damaged in " ".join(facts["left_out"])
    assert bool(facts["params"]) == (damaged != "params.json")
    assert bool(facts["metrics"]) == (damaged != "metrics.json")
