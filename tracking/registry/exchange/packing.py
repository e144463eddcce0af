"""Export of a version: a folder or a .tar.gz that says all of it, and that is read without a store and without podium.

The same version, verdict and run give the same bytes. The place appears at once, or not at all.
"""

import contextlib
import gzip
import hashlib
import io
import logging
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from tracking.errors import InvalidValueError, ModelLoadError, StoreUnwritableError
from tracking.files import atomic, folders, locks, regular
from tracking.paths import ModelPaths
from tracking.registry.events import add_event
from tracking.registry.evidence import evidence_of, patch_of
from tracking.registry.judgements import FOLDER, files_beside
from tracking.registry.loading import TRUSTED, check_loader
from tracking.registry.model_records import EventKind, ModelVersion
from tracking.registry.verifying import hashes_beside
from tracking.store.store import Store
from tracking.values.jsontext import encode

FORMAT = 1
SUMS, HEAD, MANIFEST, RUN, RUN_PATCH, README = (
    "SHA256SUMS",
    "export.json",
    "manifest.json",
    "run.json",
    "run.patch",
    "README.md",
)
VERDICT, SCORES, MODEL = "verdict.json", "scores.npz", "model"
ARCHIVES = (".tar.gz", ".tgz")
_LEVEL = 6  # of gzip, named so that a new default changes no bytes

Source = Path | bytes

log = logging.getLogger("tracking")


class Exported(NamedTuple):
    """Where a version lies now, and the SHA-256 of its manifest."""

    path: Path
    manifest_sha256: str


def is_archive(path: Path) -> bool:
    """Return whether a path has the name of a .tar.gz."""
    return path.name.endswith(ARCHIVES)


def export_version(
    store: Store, paths: ModelPaths, version: ModelVersion, target: Path, *, by: str | None = None
) -> Exported:
    """Write a version to a new folder, or to a new file if the name of `target` ends in .tar.gz or .tgz.

    All of it is on disk beside the target first. Then the event is added, and the target appears last.
    Raise InvalidValueError if the target exists, and ModelLoadError if a file is not the one that was registered.
    """
    if os.path.lexists(target):
        raise InvalidValueError(
            f"{str(target)!r} exists; name a new folder, or a new file that ends in .tar.gz"
        )
    check_loader(version.loader)  # the manifest may come from anybody, and the README shows it as code
    entries = _entries(store, paths, version)
    registered = {f"{MODEL}/{name}": digest for name, digest in version.files.items()}
    if version.origin is not None:
        beside = hashes_beside(version)
        names = {RUN: "provenance.json", RUN_PATCH: "provenance.patch"}
        registered |= {name: beside[held] for name, held in names.items() if held in beside}
    sums = {}
    for name, source in sorted(entries.items()):
        sums[name] = (
            hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else atomic.sha256(source)
        )
        if registered.get(name, sums[name]) != sums[name]:
            raise ModelLoadError(f"{source!s} is not the file that was registered; restore it")
    listed = "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()
    entries[SUMS], sums[SUMS] = listed, hashlib.sha256(listed).hexdigest()
    with atomic.writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_archive(target):
            writing = _archive(target, entries, sums, f"{version.name}-v{version.version}")
        else:
            writing = _folder(target, entries, sums)
        with writing as new:
            _note(paths, version.version, target, sums[MANIFEST], by)
            new.replace(target)
        atomic.sync_dir(target.parent)
    return Exported(target, sums[MANIFEST])


def _note(paths: ModelPaths, number: int, target: Path, digest: str, by: str | None) -> None:
    try:
        with locks.lock(paths.lock):
            add_event(paths, EventKind.EXPORTED, number, reason=f"to {target.name}", by=by, key=digest)
    except StoreUnwritableError as error:  # of a store that may only be read
        log.warning("the history does not note the export: %s", error)


def _entries(store: Store, paths: ModelPaths, version: ModelVersion) -> dict[str, Source]:
    number = version.version
    manifest = regular.read_bytes(paths.manifest(number))
    evidence = evidence_of(store, version)
    if version.origin is None:
        evidence.pop("left_out", None)
    head = {
        "format": FORMAT,
        "name": version.name,
        "version": number,
        "run_id": version.run_id,
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
    }
    entries: dict[str, Source] = {
        HEAD: encode(head, indent=True) + b"\n",
        MANIFEST: manifest,
        RUN: encode(evidence, indent=True) + b"\n",
        README: _readme(version).encode(),
        **{f"{MODEL}/{name}": version.path / name for name in version.files},
        **files_beside(paths, number),
    }
    found = {
        VERDICT: paths.verdict(number),
        SCORES: paths.scores(number),
        RUN_PATCH: patch_of(store, version),
    }
    if version.origin is not None:
        found[RUN] = version.path / "provenance.json"  # byte for byte
    return entries | {
        name: path for name, path in found.items() if path is not None and regular.is_file(path)
    }


def _readme(version: ModelVersion) -> str:
    objective, label = version.objective, f"{version.name}, version {version.version}"
    module, _, function = (version.loader or "").partition(":")
    load = "Its files were registered without a loader; read them as the program that made them does."
    if module:
        needs = (
            "It needs `podium[trainer]`."
            if version.loader == TRUSTED
            else "Read what it does first: it is code that this export names, not code of podium."
        )
        load = f'```python\nfrom {module} import {function}\n\nmodel = {function}("{MODEL}")\n```\n\n{needs}'
    files = "\n".join(f"- `{MODEL}/{name}`" for name in version.files)
    return f"""# {label}

A model that was registered on {version.created_at.isoformat()} from the run {version.run_id}.
It was chosen by {objective.get("metric")} ({objective.get("mode")}): {objective.get("value")}.

## Load it

{load}

## Check it

```sh
sha256sum --check {SUMS}
```

## Take it into a store

```sh
python -m tracking import PATH
```

## What is here

{files}
- `{MANIFEST}`: the files with their SHA-256, the objective, the metrics, the data
- `{VERDICT}`, `{SCORES}`: the decision of the gate and the predictions it was made from, where there are any
- `{FOLDER}/`: all decisions of the gate, oldest first, with their predictions
- `{RUN}`: the run with its parameters, metrics, commit and environment
- `{RUN_PATCH}`: the changes to that commit, where there were any
- `{HEAD}`: the name and the number that the version had
"""


@contextlib.contextmanager
def _folder(target: Path, entries: Mapping[str, Source], sums: Mapping[str, str]) -> Iterator[Path]:
    """Write the files into a folder beside the target; the block gives it its name."""
    new = atomic.temporary_path(target)
    try:
        for name, source in sorted(entries.items()):
            place = new / name
            folders.make_dir(place.parent)
            with _opened(source) as file, place.open("xb") as copy:
                checked = _Checked(file, name, sums[name])
                shutil.copyfileobj(checked, copy, 1 << 20)
                checked.check()
                copy.flush()
                os.fsync(copy.fileno())
        for folder in {place.parent for place in folders.walk(new)}:
            atomic.sync_dir(folder)
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)  # it has another name once it is whole


@contextlib.contextmanager
def _archive(
    target: Path, entries: Mapping[str, Source], sums: Mapping[str, str], root: str
) -> Iterator[Path]:
    """Write the files into an archive beside the target; the block gives it its name."""
    with atomic.beside(target) as (new, handle):
        with (
            open(handle, "wb", closefd=False) as file,
            gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for name, source in sorted(entries.items()):
                info = tarfile.TarInfo(f"{root}/{name}")  # no owner, no time: the same bytes everywhere
                info.size = len(source) if isinstance(source, bytes) else source.stat().st_size
                with _opened(source) as data:
                    checked = _Checked(data, name, sums[name])
                    archive.addfile(info, checked)
                    checked.check()
        os.fsync(handle)
        yield new


@contextlib.contextmanager
def _opened(source: Source) -> Iterator[IO[bytes]]:
    with io.BytesIO(source) if isinstance(source, bytes) else regular.open_file(source) as file:
        yield file


class _Checked:
    """A file that is hashed as it is read: what was written is what was checked."""

    def __init__(self, file: IO[bytes], name: str, expected: str) -> None:
        self._file, self._name, self._expected, self._hash = file, name, expected, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def check(self) -> None:
        if self._hash.hexdigest() != self._expected:
            raise ModelLoadError(f"{self._name} changed while it was exported; export the version again")
