"""An exported version says all of itself, and an import trusts none of it."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import (
    CorruptFileError,
    ExperimentTracker,
    InvalidNameError,
    InvalidValueError,
    ModelLoadError,
    ModelRegistry,
    NewerFormatError,
    Verdict,
)
from tracking.doctor import examine
from tracking.registry import EventKind, packing, unpacking
from tracking.store.store import Store

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


@pytest.fixture
def registry(base: Path, tracker: ExperimentTracker) -> ModelRegistry:
    """A registry whose champion is version 1 of ctr, with a verdict and scores."""
    registry = ModelRegistry(base)
    with tracker.start_run("x", params={"lr": 0.1}, config="lr: 0.1\n", data={"fingerprint": "f"}) as run:
        run.log({"val_auc": 0.8})
        (run.artifacts_dir / "model_best.pt").write_bytes(b"weights")
        (run.artifacts_dir / "more").mkdir()
        (run.artifacts_dir / "more" / "é b.txt").write_text("x")
    version = registry.register(
        "ctr", run.run_id, files=["model_best.pt", "more"], objective=OBJECTIVE, loader="os:walk"
    )
    registry.record_verdict("ctr", 1, Verdict(True, "Promoted: better.", ("better",), "first"))
    (version.path / "scores.npz").write_bytes(b"scores")
    registry.promote("ctr", 1, reason="the first")
    return registry


@pytest.fixture
def other(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "other")


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


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
    monkeypatch.setattr("tracking.registry.models.add_event", refuse)
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
    _resummed(source)
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


def _resummed(folder: Path) -> None:
    names = sorted(name for name in files_of(folder) if name != "SHA256SUMS")
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def _with_manifest(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))
    _resummed(folder)


def _with_head(folder: Path, **changes: Any) -> None:
    head = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps({**head, **changes}))
    _resummed(folder)


def changed(folder: Path) -> str:
    (folder / "model" / "model_best.pt").write_bytes(b"other")
    return "is not the file that was exported"


def changed_and_summed(folder: Path) -> str:
    changed(folder)
    _resummed(folder)
    return "names other files than"


def missing(folder: Path) -> str:
    (folder / "model" / "model_best.pt").unlink()
    return "differ by model/model_best.pt"


def added(folder: Path) -> str:
    (folder / "model" / "model.json").write_text("{}")
    return "differ by model/model.json"


def added_and_summed(folder: Path) -> str:
    added(folder)
    _resummed(folder)
    return "names other files than"


def link_to_file(folder: Path) -> str:
    (folder / "scores.npz").unlink()
    (folder / "scores.npz").symlink_to("/etc/hostname")
    return "scores.npz is a link"


def link_to_folder(folder: Path) -> str:
    shutil.rmtree(folder / "model" / "more")
    (folder / "model" / "more").symlink_to(folder)
    return "more is a link"


def no_sums(folder: Path) -> str:
    (folder / "SHA256SUMS").unlink()
    return "is no export of a version: SHA256SUMS is missing"


def odd_sums(folder: Path) -> str:
    (folder / "SHA256SUMS").write_text("x\n")
    return "a line that is no hash and name"


def sums_outside(folder: Path) -> str:
    with (folder / "SHA256SUMS").open("a") as sums:
        sums.write(f"{'0' * 64}  ../../secret\n")
    return "artifact name '../../secret' is refused"


def name_outside(folder: Path) -> str:
    _with_head(folder, name="../../out")
    return "model name '../../out'"


def file_outside(folder: Path) -> str:
    _with_manifest(folder, files={"../x": {"sha256": "0" * 64, "bytes": 1}})
    return "artifact name '../x' is refused"


def file_of_registry(folder: Path) -> str:
    digest = hashlib.sha256(b"{}").hexdigest()
    (folder / "model" / "manifest.json").write_text("{}")
    files = json.loads((folder / "manifest.json").read_text())["files"]
    _with_manifest(folder, files={**files, "manifest.json": {"sha256": digest, "bytes": 2}})
    return "names a file 'manifest.json' that no version may have"


def newer(folder: Path) -> str:
    _with_manifest(folder, format=99)
    return "was written by a newer version of podium"


def odd_manifest(folder: Path) -> str:
    _with_manifest(folder, objective=3)
    return "is no export of a version, or a damaged one"


def odd_version(folder: Path) -> str:
    _with_head(folder, version="1")
    return "is no export of a version, or a damaged one"


def odd_origin(folder: Path) -> str:
    _with_manifest(folder, origin={"name": "x", "version": 1, "manifest_sha256": "../x"})
    return "is no export of a version, or a damaged one"


def odd_loader(folder: Path) -> str:
    _with_manifest(folder, loader="os:system('x')")
    return "must be 'module:function'"


def odd_verdict(folder: Path) -> str:
    (folder / "verdict.json").write_text('{"format": 2, "promote": true}')
    _resummed(folder)
    return "is no export of a version, or a damaged one"


TRICKS: list[Callable[[Path], str]] = [
    *(changed, changed_and_summed, missing, added, added_and_summed, link_to_file, link_to_folder, no_sums),
    *(odd_sums, sums_outside, name_outside, file_outside, file_of_registry, newer, odd_manifest, odd_version),
    *(odd_origin, odd_loader, odd_verdict),
]


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("trick", TRICKS)
def test_an_export_that_somebody_changed_is_refused_and_leaves_nothing(
    registry: ModelRegistry,
    other: ModelRegistry,
    tmp_path: Path,
    trick: Callable[[Path], str],
    is_packed: bool,
) -> None:
    source = registry.export("ctr", tmp_path / "ctr-v1")
    message = trick(source)
    if is_packed:
        with tarfile.open(tmp_path / "ctr.tgz", "w:gz") as archive:
            archive.add(source, "ctr-v1")
        source = tmp_path / "ctr.tgz"
        if "is a link" in message:
            message = "which is no regular file"
    with pytest.raises((CorruptFileError, NewerFormatError)) as refused:
        other.import_version(source)
    assert message in str(refused.value)
    assert other.models() == []
    left = [path for path in (tmp_path / "other").rglob("*") if path.is_file() and path.name != ".lock"]
    assert left == []


def packed(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def info(name: str, **fields: Any) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(found, field, value)
    return found


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (info("../out"), "artifact name '../out' is refused"),
        (info("/etc/out"), "artifact name '/etc/out' is refused"),
        (info("x/../../out"), "is refused"),
        (info("x/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "'x/link', which is no regular file"),
        (info("x/link", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "'x/link', which is no regular file"),
        (info("x/pipe", type=tarfile.FIFOTYPE), "'x/pipe', which is no regular file"),
        (info("x/disk", type=tarfile.BLKTYPE), "'x/disk', which is no regular file"),
        (info("x\\y"), "is refused"),
    ],
)
def test_an_archive_reaches_nothing_outside_its_folder(
    other: ModelRegistry, tmp_path: Path, member: tarfile.TarInfo, message: str
) -> None:
    source = packed(tmp_path / "odd.tar.gz", (member, b""))
    with pytest.raises(CorruptFileError) as refused:
        other.import_version(source)
    assert message in str(refused.value)
    assert not list(tmp_path.glob("out*"))
    assert not list((tmp_path / "other").rglob("*.tmp"))


def test_an_archive_of_too_much_is_refused_before_it_fills_the_disk(
    registry: ModelRegistry, other: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = registry.export("ctr", tmp_path / "ctr.tgz")
    folder = registry.export("ctr", tmp_path / "folder")
    for each in (source, folder):
        with pytest.raises(CorruptFileError, match="has more than 10000 files or 100 bytes"):
            other.import_version(each, max_bytes=100)
    monkeypatch.setattr(unpacking, "MAX_FILES", 3)
    for each in (source, folder):
        with pytest.raises(CorruptFileError, match="has more than 3 files"):
            other.import_version(each)


def test_a_header_that_unpacks_to_much_memory_is_refused(other: ModelRegistry, tmp_path: Path) -> None:
    header = info("x", type=tarfile.XHDTYPE, size=1 << 30)
    source = tmp_path / "bomb.tar.gz"
    with gzip.open(source, "wb") as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(40):
            file.write(bytes(1 << 20))
    with pytest.raises(CorruptFileError, match="has a header of 1073741824 bytes"):
        other.import_version(source)


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", gzip.compress(b"nonsense", mtime=0), gzip.compress(b"x" * 2000, mtime=0)[:-9]],
    ids=["empty", "no archive", "of no tar", "cut off"],
)
def test_a_damaged_archive_is_refused(other: ModelRegistry, tmp_path: Path, data: bytes) -> None:
    source = tmp_path / "odd.tar.gz"
    source.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"odd\.tar\.gz"):
        other.import_version(source)


def test_an_archive_that_is_cut_off_gives_the_whole_version_or_none(
    registry: ModelRegistry, other: ModelRegistry, tmp_path: Path
) -> None:
    whole = registry.export("ctr", tmp_path / "ctr.tgz").read_bytes()
    source, refused = tmp_path / "cut.tgz", 0
    for end in range(0, len(whole), max(1, len(whole) // 40)):
        source.write_bytes(whole[:end])
        try:
            version = other.import_version(source)
        except CorruptFileError:
            refused += 1
        else:  # what is missing is the padding behind the last file
            assert version.files == registry.find("ctr").files
    assert refused > 30
    assert all(each.is_intact for each in other.verify())


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
    write = packing._write_folder

    def written(*arguments: Any) -> None:
        (registry.find("ctr").path / "model_best.pt").write_bytes(b"swapped")
        write(*arguments)

    monkeypatch.setattr(packing, "_write_folder", written)
    with pytest.raises(ModelLoadError, match="changed while it was exported"):
        registry.export("ctr", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_name_that_reads_like_a_version_is_given_to_no_import(
    registry: ModelRegistry, other: ModelRegistry, tmp_path: Path
) -> None:
    source = registry.export("ctr", tmp_path / "ctr")
    with pytest.raises(InvalidNameError, match="holds '@'"):
        other.import_version(source, name="a@b")
