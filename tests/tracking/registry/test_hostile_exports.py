"""An import trusts nothing of what it takes in: changed files, links, names that leave the folder, archives of too much."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exported_files import sum_again

from tracking import (
    CorruptFileError,
    ModelRegistry,
    NewerFormatError,
)
from tracking.registry.exchange import unpacking

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


@pytest.fixture
def registry(exportable: ModelRegistry) -> ModelRegistry:
    return exportable


def _with_manifest(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))
    sum_again(folder)


def _with_head(folder: Path, **changes: Any) -> None:
    head = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps({**head, **changes}))
    sum_again(folder)


def changed(folder: Path) -> str:
    (folder / "model" / "model_best.pt").write_bytes(b"other")
    return "is not the file that was exported"


def changed_and_summed(folder: Path) -> str:
    changed(folder)
    sum_again(folder)
    return "names other files than"


def missing(folder: Path) -> str:
    (folder / "model" / "model_best.pt").unlink()
    return "differ by model/model_best.pt"


def added(folder: Path) -> str:
    (folder / "model" / "model.json").write_text("{}")
    return "differ by model/model.json"


def added_and_summed(folder: Path) -> str:
    added(folder)
    sum_again(folder)
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


def deep_manifest(folder: Path) -> str:
    deep: Any = {}
    for _ in range(800):  # less than JSON's reader takes
        deep = {"a": deep}
    _with_manifest(folder, metrics=deep)
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
    sum_again(folder)
    return "is no export of a version, or a damaged one"


TRICKS: list[Callable[[Path], str]] = [
    *(changed, changed_and_summed, missing, added, added_and_summed, link_to_file, link_to_folder, no_sums),
    *(odd_sums, sums_outside, name_outside, file_outside, file_of_registry, newer, odd_manifest, odd_version),
    *(odd_origin, odd_loader, odd_verdict, deep_manifest),
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
