"""Import of an exported version, which is not trusted: checked before any of it is taken over.

Only regular files are read, no link is followed, no name leaves its folder, and everything is limited.
"""

import contextlib
import gzip
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from tracking.errors import (
    CorruptFileError,
    InvalidNameError,
    InvalidValueError,
    TrackingError,
    UnreadableFileError,
)
from tracking.files import atomic, folders, regular
from tracking.paths import ModelPaths
from tracking.records import check_format
from tracking.registry.evidence import MOST_BYTES, PATCH, PROVENANCE
from tracking.registry.exchange.packing import (
    HEAD,
    MANIFEST,
    MODEL,
    README,
    RUN,
    RUN_PATCH,
    SCORES,
    SUMS,
    VERDICT,
    is_archive,
)
from tracking.registry.judgements import NAME, verdict_in
from tracking.registry.loading import check_loader
from tracking.registry.model_records import ModelVersion
from tracking.registry.versions import BESIDE, add_version, version_of
from tracking.values.names import check_artifact, check_component

MAX_FILES = 10_000
MAX_TOTAL = 16 << 30  # bytes of all files together, unpacked
MAX_READ = 16 << 20  # bytes that an archive may ask for at once: its headers are held in memory
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEPT = (
    "format",
    "run_id",
    "experiment_name",
    "created_at",
    "objective",
    "metrics",
    "data",
    "sweep",
    "loader",
)


@dataclass(frozen=True)
class Export:
    """An exported version that was checked: where its files lie, their hashes, its manifest, and where it came from."""

    place: Path
    sums: Mapping[str, str]
    manifest: Mapping[str, Any]
    origin: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name that the model had."""
        return str(self.origin["name"])

    @property
    def files(self) -> dict[str, str]:
        """The model's files by name, with their SHA-256."""
        return {name: kept["sha256"] for name, kept in self.manifest["files"].items()}


def is_export(path: Path) -> bool:
    """Return whether there is an exported version at a path: an archive, or a folder with the file that heads one."""
    return is_archive(path) if regular.is_file(path) else regular.is_file(path / HEAD)


@contextlib.contextmanager
def opened(path: Path, incoming: Path, max_bytes: int) -> Iterator[Export]:
    """Yield an exported version; an archive is unpacked into the folder `incoming` meanwhile.

    Raise CorruptFileError for one that is damaged or not what its hashes say, with a link or a name that leaves its folder,
    of more than MAX_FILES files, or of more than `max_bytes` bytes.
    """
    if regular.is_folder(path):
        yield _read(path, max_bytes)
        return
    regular.refuse_link(incoming.parent, incoming)
    place = atomic.temporary_path(incoming / "model")
    try:
        folders.make_dir(place)
        with _naming(path):
            _unpack(path, place, max_bytes)
        roots = list(place.iterdir())
        if len(roots) != 1:
            raise CorruptFileError(
                f"{path} holds {len(roots)} folders, and an export is one; export the version again"
            )
        yield _read(roots[0], max_bytes)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def add(paths: ModelPaths, export: Export) -> int:
    """Copy a checked version into a new one of a model, and return its number; the caller holds the model's lock."""
    beside = {VERDICT: VERDICT, SCORES: SCORES, PROVENANCE: RUN, PATCH: RUN_PATCH}
    beside |= {held: held for held in export.sums if NAME.fullmatch(held)}
    there = {name: held for name, held in beside.items() if held in export.sums}
    hashes = {name: export.sums[held] for name, held in there.items()}
    origin = {
        **export.origin,
        "files": {name: hashes[name] for name in (PROVENANCE, PATCH) if name in hashes},
    }
    return add_version(
        paths,
        {name: export.place / MODEL / name for name in export.files},
        {**{key: export.manifest[key] for key in _KEPT}, "origin": origin},
        beside={name: export.place / held for name, held in there.items()},
        expected={**export.files, **hashes},
    )


def is_of(version: ModelVersion, paths: ModelPaths, export: Export) -> bool:
    """Return whether a version is the one that was exported, or an import of it."""
    key = export.origin["manifest_sha256"]
    known = (version.origin or {}).get("manifest_sha256") or atomic.sha256(paths.manifest(version.version))
    return known == key and version.files == export.files


def _read(place: Path, max_bytes: int) -> Export:
    with _naming(place):
        sums = _checked(place, max_bytes)
        head, manifest = (atomic.read_object(place / name, MOST_BYTES) for name in (HEAD, MANIFEST))
        check_format(head, place / HEAD)
        check_format(manifest, place / MANIFEST)
        name, number = check_component("model name", head["name"]), head["version"]
        if type(number) is not int or number < 1:
            raise TypeError(f"version is {number!r}")
        version = version_of(manifest, name, number, place)
        check_loader(version.loader)
        for file in version.files:
            if file.partition("/")[0] in BESIDE or not _DIGEST.fullmatch(version.files[file]):
                raise InvalidNameError(f"{place / MANIFEST} names a file {file!r} that no version may have")
        if {f"{MODEL}/{file}": digest for file, digest in version.files.items()} != {
            held: digest for held, digest in sums.items() if held.startswith(f"{MODEL}/")
        }:
            raise CorruptFileError(f"{place / MANIFEST} names other files than {place / MODEL} has")
        for held in sums:
            if held == VERDICT or (NAME.fullmatch(held) and held.endswith(".json")):
                verdict_in(place / held, MOST_BYTES)
        return Export(place, sums, manifest, _origin(name, version, sums[MANIFEST]))


def _origin(name: str, version: ModelVersion, manifest_sha256: str) -> dict[str, Any]:
    """Return where a version came from: of an import that was exported again, where that came from."""
    told = version.origin
    if told is None:
        return {"name": name, "version": version.version, "manifest_sha256": manifest_sha256}
    number, digest = told["version"], told["manifest_sha256"]
    if type(number) is not int or not _DIGEST.fullmatch(digest):
        raise TypeError(f"origin is {told!r}")
    first = check_component("model name", told["name"])
    return {"name": first, "version": number, "manifest_sha256": digest}


def _checked(place: Path, max_bytes: int) -> dict[str, str]:
    """Return the SHA-256 of each file of an export but the list itself; raise CorruptFileError unless all are as listed."""
    sums = {}
    for line in regular.read_bytes(place / SUMS, MOST_BYTES).decode().splitlines():
        found = _LINE.fullmatch(line)
        if not found:
            raise CorruptFileError(f"{place / SUMS} has a line that is no hash and name: {line[:80]!r}")
        sums[check_artifact(found[2])] = found[1]
    if missing := {HEAD, MANIFEST, README} - sums.keys():
        raise CorruptFileError(f"{place / SUMS} lacks {', '.join(sorted(missing))}")
    total, there = 0, set[str]()
    for folder, inner, names in os.walk(place):
        regular.refuse_link(*(Path(folder, name) for name in inner))
        for path in (Path(folder, name) for name in names):
            regular.refuse_odd(path)
            there.add(path.relative_to(place).as_posix())
            total += path.lstat().st_size
            if len(there) > MAX_FILES or total > max_bytes:
                raise _too_large(place, max_bytes)
    if odd := there ^ (sums.keys() | {SUMS}):
        raise CorruptFileError(
            f"{place} and its {SUMS} differ by {', '.join(sorted(odd)[:3])}; export the version again"
        )
    for name, expected in sums.items():
        if atomic.sha256(place / name) != expected:
            raise CorruptFileError(
                f"{place / name} is not the file that was exported; export the version again"
            )
    return sums


def _unpack(path: Path, place: Path, max_bytes: int) -> None:
    with regular.open_file(path) as raw, gzip.GzipFile(fileobj=raw) as packed:
        bounded = _Bounded(packed, max_bytes + MAX_FILES * 2048, path)  # with the headers
        with tarfile.TarFile(fileobj=cast("IO[bytes]", bounded), mode="r") as archive:
            for count, member in enumerate(archive):
                if count >= MAX_FILES or member.size > max_bytes:
                    raise _too_large(path, max_bytes)
                target = place / check_artifact(member.name.removesuffix("/"))
                if member.type == tarfile.DIRTYPE:
                    folders.make_dir(target)
                elif member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    _write(archive, member, target)
                else:
                    what = f"{path} holds {member.name!r}, which is no regular file"
                    raise CorruptFileError(f"{what}; export the version again")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None  # noqa: S101 - a regular file has content
    folders.make_dir(target.parent)
    with atomic.writing(target):
        file = target.open("xb")
    with file:
        while part := source.read(1 << 20):
            with atomic.writing(target):
                file.write(part)


def _too_large(path: Path, max_bytes: int) -> CorruptFileError:
    return CorruptFileError(
        f"{path} has more than {MAX_FILES} files or {max_bytes} bytes; if you trust it, allow more with max_bytes"
    )


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Raise CorruptFileError, which names the export, for whatever damage its reading meets."""
    try:
        yield
    except (InvalidNameError, InvalidValueError) as error:
        raise CorruptFileError(f"{path} is refused: {error}") from None
    except FileNotFoundError as error:
        raise CorruptFileError(
            f"{path} is no export of a version: {Path(str(error.filename)).name} is missing"
        ) from None
    except TrackingError:
        raise
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise CorruptFileError(f"{path} is no export of a version, or a damaged one ({error!r})") from None


class _Bounded:
    """A stream that reads no more than so many bytes, and few at once: a small archive may unpack to anything."""

    def __init__(self, file: gzip.GzipFile, limit: int, path: Path) -> None:
        self._file, self._limit, self._path = file, limit, path

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_READ:
            raise UnreadableFileError(
                f"{self._path} has a header of {size} bytes; export the version again", self._path
            )
        return self._file.read(self._within(size))

    def seek(self, place: int) -> int:
        self._within(place - self._file.tell())
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()

    def _within(self, size: int) -> int:
        if self._file.tell() + size > self._limit:
            raise _too_large(self._path, self._limit)
        return size
