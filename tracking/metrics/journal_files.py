"""The journals of one run: listed, opened together, attributed to their writers, removed.

Every process that logs into a run has its own journal, so no process changes a file that another writes. The run's
owner, the process that run.json names, writes metrics.jsonl. Any other process writes metrics.<writer>.jsonl, whose
first line identifies it, and renames it to metrics.<token>.closed.jsonl if it ends while others still write.
"""

import contextlib
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tracking.errors import CorruptFileError, UnreadableFileError
from tracking.files import atomic, regular
from tracking.paths import CLOSED_JOURNAL, RunPaths, is_conflict_of_metrics, is_journal
from tracking.process import identity
from tracking.process.identity import Life
from tracking.values import jsontext

log = logging.getLogger("tracking")

TRIES = 100  # to open a set of journals that writers rename meanwhile; one rename each


class Listing(NamedTuple):
    """The names of the files that hold points beside metrics.json."""

    journals: list[str]  # the owner's first
    conflicts: list[str]  # versions of journals or of metrics.json that a sync program kept


class Opened(NamedTuple):
    """The journals of a run, open for reading, and the paths of versions of metrics.json that a sync program kept."""

    journals: list[BinaryIO]
    conflicts: list[Path]


def listing(paths: RunPaths) -> Listing:
    """Return what a run's folder holds beside metrics.json."""
    journals, conflicts = [], []
    try:
        with regular.reading(paths.folder), os.scandir(paths.folder) as entries:
            for entry in entries:
                if is_journal(entry.name):
                    journals.append(entry.name)
                elif is_conflict_of_metrics(entry.name):
                    conflicts.append(entry.name)
    except FileNotFoundError:
        return Listing([], [])
    if len(journals) > 1:
        journals.sort(key=lambda name: (name != paths.journal.name, name))
    return Listing(journals, sorted(conflicts))


def list_journals(paths: RunPaths) -> list[str]:
    """Return the names of a run's journals, the owner's first."""
    return listing(paths).journals


@contextlib.contextmanager
def opened(paths: RunPaths) -> Iterator[Opened]:
    """Open the journals of a run for reading, as they were together at one moment.

    Later renames and removals do not affect the open files. A version that a sync program kept is a journal too, or a
    metrics.json; one that cannot be read is named and left out.
    """
    with ExitStack() as stack:
        for _ in range(TRIES):
            listed = listing(paths)
            journals = _open_each(paths, listed.journals, stack)
            # by name: on some file systems the inodes of a listing are not those of the files
            if journals is not None and (not journals or listing(paths).journals == listed.journals):
                break
            stack.close()  # a writer was renaming or removing journals
        else:
            raise UnreadableFileError(
                f"{paths.folder} gets other journals all the time; try again later", paths.folder
            )
        views = []
        for name in listed.conflicts:
            with contextlib.suppress(FileNotFoundError):
                try:
                    if ".jsonl" not in name:
                        views.append(paths.folder / name)
                        continue
                    journals.append(stack.enter_context(regular.open_file(paths.folder / name)))
                except UnreadableFileError as error:
                    log.warning("left out: %s", error)
        yield Opened(journals, views)


def _open_each(paths: RunPaths, names: list[str], stack: ExitStack) -> list[BinaryIO] | None:
    try:
        return [stack.enter_context(regular.open_file(paths.folder / name)) for name in names]
    except FileNotFoundError:
        return None  # renamed or removed since the listing


def remove(paths: RunPaths, names: list[str]) -> None:
    """Remove the journals, in any number of steps; metrics.json must hold all their points and be synced."""
    with atomic.writing(paths.folder):
        for name in names:
            (paths.folder / name).unlink(missing_ok=True)
        paths.complete.unlink(missing_ok=True)


def keep_damaged(paths: RunPaths, lines: list[bytes]) -> None:
    """Keep unreadable lines in a file that outlives the journals, each once."""
    if not lines:
        return
    from tracking.values.units import counted  # most journals are whole

    known = regular.read_bytes(paths.damaged) if regular.exists(paths.damaged) else b""
    there = set(known.split(b"\n"))
    atomic.write_bytes(
        paths.damaged, known + b"".join(line + b"\n" for line in lines if line not in there), durable=False
    )
    atomic.sync(paths.damaged)
    log.warning("%s: %s kept in %s", paths.folder, counted(len(lines), "damaged line"), paths.damaged.name)


def own_name(paths: RunPaths) -> str:
    """Return the name of this process' journal in a run of another owner; no other process uses it."""
    owner = identity.owner()
    return paths.journal_of(
        f"{identity.host_name()}.{owner['pid']}.{zlib.crc32(jsontext.encode(owner)):08x}"
    ).name


def header() -> bytes:
    """Return the first line of the journal of a process that does not own the run; no two journals begin alike."""
    return jsontext.encode({"writer": identity.owner(), "journal": os.urandom(6).hex()}) + b"\n"


def is_abandoned(paths: RunPaths, name: str, owner: dict[str, Any]) -> bool:
    """Return whether it is known that no living process writes a journal; `owner` is the content of run.json."""
    return _life_of_writer(paths, name, owner) is Life.GONE


def is_being_written(paths: RunPaths, name: str, owner: dict[str, Any]) -> bool:
    """Return whether it is known that a living process writes a journal."""
    return _life_of_writer(paths, name, owner) is Life.ALIVE


def _life_of_writer(paths: RunPaths, name: str, owner: dict[str, Any]) -> Life:
    if name.endswith(CLOSED_JOURNAL):
        return Life.GONE
    if name == paths.journal.name:
        return identity.life(owner, paths.processes)
    try:
        with regular.open_file(paths.folder / name) as journal:
            writer = jsontext.decode(journal.readline(regular.MAX_BYTES))["writer"]
    except UnreadableFileError:
        return Life.UNKNOWN
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return Life.GONE  # a power loss truncated it and ended its writer
    return identity.life(writer, paths.processes) if isinstance(writer, dict) else Life.UNKNOWN


def read_owner(paths: RunPaths) -> dict[str, Any]:
    """Return the content of run.json; empty for a run of other code or a damaged file.

    Raise UnreadableFileError for one that cannot be read: its owner may be alive.
    """
    try:
        return atomic.read_object(paths.run)
    except UnreadableFileError:
        raise
    except (FileNotFoundError, CorruptFileError):
        return {}
