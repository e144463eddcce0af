"""An exported version says all of itself, and an import gives it the next number."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from exported_files import files_of, sum_again

from tracking import (
    CorruptFileError,
    ExperimentTracker,
    InvalidNameError,
    InvalidValueError,
    ModelLoadError,
    ModelRegistry,
)
from tracking.doctor import examine
from tracking.registry import EventKind
from tracking.registry.exchange import packing, unpacking
from tracking.store.store import Store

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


@pytest.fixture
def registry(exportable: ModelRegistry) -> ModelRegistry:
    return exportable


def test_an_export_holds_the_model_its_origin_and_its_hashes(registry: ModelRegistry, tmp_path: Path) -> None:
    place = registry.export("ctr@champion", tmp_path / "out" / "ctr", by="ann")
    files = files_of(place)
    assert set(files) == {
        *(
            "README.md",
            "SHA256SUMS",
            "export.json",
            "manifest.json",
            "verdict.json",
            "scores.npz",
            "verdicts/001.json",
            "run.json",
        ),
        *("model/model_best.pt", "model/more/é b.txt", "model/config.yaml"),
        *(["run.patch"] if "run.patch" in files else []),
    }
    sums = dict(reversed(line.split("  ", 1)) for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "SHA256SUMS"
    }
    run = json.loads(files["run.json"])
    assert (run["run_id"], run["params"], run["metrics"]) == ("run_001", {"lr": 0.1}, {"val_auc": 0.8})
    assert run["environment"]["python"]
    assert 'model = walk("model")' in files["README.md"].decode()
    event = registry.history("ctr")[-1]
    assert (event.kind, event.by, event.reason) == (EventKind.EXPORTED, "ann", "to ctr")
    assert event.key == sums["manifest.json"]


def test_an_export_has_the_same_bytes_each_time(registry: ModelRegistry, tmp_path: Path) -> None:
    first, second = (registry.export("ctr", tmp_path / name) for name in ("a.tar.gz", "b.tgz"))
    os.utime(registry.find("ctr").path / "model_best.pt", (1, 1))
    assert first.read_bytes() == second.read_bytes()
    assert registry.export("ctr", tmp_path / "c.tgz").read_bytes() == first.read_bytes()
    folder = registry.export("ctr", tmp_path / "folder")
    with tarfile.open(first) as archive:
        held = {member.name: archive.extractfile(member).read() for member in archive}
    assert held == {f"ctr-v1/{name}": data for name, data in files_of(folder).items()}


def test_an_export_is_checked_and_loaded_without_podium(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.export("ctr", tmp_path / "ctr.tar.gz")
    subprocess.run(["tar", "xzf", "ctr.tar.gz"], cwd=tmp_path, check=True)
    folder = tmp_path / "ctr-v1"
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    code = (folder / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{code}\nprint(next(model)[2])"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert "model_best.pt" in done.stdout, done.stderr


def test_a_manifest_that_names_a_run_outside_the_store_exports_nothing_of_it(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "git.patch").write_text("secret")
    manifest = registry.find("ctr").path / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "run_id": "../../secret"}))
    files = files_of(registry.export("ctr", tmp_path / "out"))
    assert "run.patch" not in files
    assert registry.lineage("ctr@1")["run"]["params"] is None


@pytest.mark.parametrize("there", ["a folder", "a file", "a link"])
def test_an_export_replaces_nothing(registry: ModelRegistry, tmp_path: Path, there: str) -> None:
    target = tmp_path / "out"
    {"a folder": target.mkdir, "a file": target.touch, "a link": lambda: target.symlink_to("nowhere")}[
        there
    ]()
    with pytest.raises(InvalidValueError, match="exists; name a new folder"):
        registry.export("ctr", target)


def test_a_changed_version_is_not_exported(registry: ModelRegistry, tmp_path: Path) -> None:
    (registry.find("ctr").path / "model_best.pt").write_bytes(b"other")
    for name in ("out", "out.tgz"):
        with pytest.raises(ModelLoadError, match="is not the file that was registered"):
            registry.export("ctr", tmp_path / name)
    assert not list(tmp_path.glob("*out*"))


def test_an_export_out_of_a_store_that_may_only_be_read_is_made(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise unwritable

    from tracking import StoreUnwritableError

    unwritable = StoreUnwritableError("cannot write: it is read-only")
    monkeypatch.setattr("tracking.registry.exchange.packing.add_event", refuse)
    assert registry.export("ctr", tmp_path / "out").is_dir()
    assert "the history does not note the export" in caplog.text


@pytest.mark.parametrize("name", ["ctr", "ctr.tar.gz"])
def test_an_import_gives_the_next_number_and_loads(
    registry: ModelRegistry, other: ModelRegistry, tmp_path: Path, name: str
) -> None:
    source = registry.export("ctr", tmp_path / name)
    version = other.import_version(source, by="bob")
    original = registry.find("ctr")
    assert (version.name, version.version, version.run_id) == ("ctr", 1, "run_001")
    assert (version.files, version.metrics, version.created_at) == (
        original.files,
        original.metrics,
        original.created_at,
    )
    assert other.champion("ctr") is None
    assert other.verdict("ctr@1") == registry.verdict("ctr@1")
    assert (version.path / "scores.npz").read_bytes() == b"scores"
    assert next(other.load("ctr@1", allow=["os"]))
    (event,) = other.history("ctr")
    assert (event.kind, event.by, event.run_id) == (EventKind.IMPORTED, "bob", "run_001")
    assert event.reason == "from version 1 of 'ctr' in another store, run run_001"
    assert all(each.is_intact for each in other.verify())
    assert other.lineage("ctr@1")["run"]["params"] == {"lr": 0.1}
    assert other.import_version(source, name="mine").name == "mine"
    assert examine(Store(tmp_path / "other")).is_well
    assert not list((tmp_path / "other" / ".podium" / "incoming").glob("*"))


def test_the_same_version_is_imported_once_however_often_it_was_exported(
    registry: ModelRegistry, other: ModelRegistry, tmp_path: Path
) -> None:
    source = registry.export("ctr", tmp_path / "ctr.tgz")
    assert other.import_version(source) == other.import_version(registry.export("ctr", tmp_path / "ctr"))
    assert registry.import_version(source).version == 1  # it never left
    back = other.export("ctr@1", tmp_path / "back.tgz")
    assert registry.import_version(back).version == 1
    assert ModelRegistry(tmp_path / "third").import_version(back).origin["version"] == 1
    assert len(registry.versions("ctr")) == len(other.versions("ctr")) == 1
    other.remove("ctr", 1)
    assert other.import_version(source).version == 2


def test_what_an_export_tells_of_its_run_may_be_of_any_kind(
    registry: ModelRegistry, other: ModelRegistry, tmp_path: Path
) -> None:
    source = registry.export("ctr", tmp_path / "ctr")
    odd = dict.fromkeys(("params", "git", "environment", "patch", "overrides", "metrics", "tags", "sweep"), 3)
    (source / "run.json").write_text(json.dumps({**odd, "run_id": "run_7", "left_out": 5, "status": [1]}))
    sum_again(source)
    other.import_version(source)
    found = other.lineage("ctr@1")
    assert (found["run"]["run_id"], found["run"]["params"], found["code"]) == ("run_001", None, None)
    assert len(found["left_out"]) == len(odd)
    assert other.compare("ctr@1", "ctr@1")["params"] == {}


def test_an_imported_version_protects_no_run_of_the_same_id(registry: ModelRegistry, tmp_path: Path) -> None:
    source = registry.export("ctr", tmp_path / "ctr.tgz")
    tracker = ExperimentTracker(tmp_path / "other")
    run = tracker.create_run("unrelated")
    tracker.finish_run(run)
    other = ModelRegistry(tmp_path / "other")
    assert other.import_version(source).run_id == run == "run_001"
    assert other.lineage("run_001")["versions"] == []
    tracker.delete_run(run)


# What somebody may do to an export that is then given to an import; each returns what the refusal says.


def test_a_file_that_changes_while_it_is_exported_or_imported_is_noticed(
    registry: ModelRegistry, other: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = registry.export("ctr", tmp_path / "ctr")
    add = unpacking.add_version

    def swapped(*arguments: Any, **options: Any) -> int:
        (source / "model" / "model_best.pt").write_bytes(b"swapped")
        return add(*arguments, **options)

    monkeypatch.setattr(unpacking, "add_version", swapped)
    with pytest.raises(CorruptFileError, match="is not the file that was exported"):
        other.import_version(source)
    assert other.models() == []
    write = packing._folder

    def written(*arguments: Any) -> Any:
        (registry.find("ctr").path / "model_best.pt").write_bytes(b"swapped")
        return write(*arguments)

    monkeypatch.setattr(packing, "_folder", written)
    with pytest.raises(ModelLoadError, match="changed while it was exported"):
        registry.export("ctr", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_name_that_reads_like_a_version_is_given_to_no_import(
    registry: ModelRegistry, other: ModelRegistry, tmp_path: Path
) -> None:
    source = registry.export("ctr", tmp_path / "ctr")
    with pytest.raises(InvalidNameError, match="holds '@'"):
        other.import_version(source, name="a@b")
