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
from typing import Any, BinaryIO

from tracking.errors import CorruptFileError
from tracking.files import atomic
from tracking.paths import CLOSED_JOURNAL, RunPaths, is_journal
from tracking.process import identity
from tracking.process.identity import Life
from tracking.values import jsontext

log = logging.getLogger("tracking")

Inodes = dict[str, int]


def list_journals(paths: RunPaths) -> Inodes:
    """Return the names of a run's journals with their inodes, the owner's first.

    Empty when metrics.json is the truth: there are no journals, or their removal has begun.
    """
    found: Inodes = {}
    try:
        with os.scandir(paths.folder) as entries:
            for entry in entries:
                if is_journal(entry.name):
                    found[entry.name] = entry.inode()
                elif entry.name == paths.complete.name:
                    return {}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    if len(found) > 1:
        return {
            name: found[name] for name in sorted(found, key=lambda name: (name != paths.journal.name, name))
        }
    return found


@contextlib.contextmanager
def opened(paths: RunPaths) -> Iterator[list[BinaryIO]]:
    """Open the journals of a run for reading, as they were together at one moment.

    The list is empty when metrics.json is the truth. Later renames and removals do not affect the open files.
    """
    with ExitStack() as stack:
        while True:
            listed = list_journals(paths)
            try:
                found: list[BinaryIO] = [
                    stack.enter_context((paths.folder / name).open("rb")) for name in listed
                ]
            except FileNotFoundError:
                pass  # renamed or removed since the listing
            else:
                inodes = [os.fstat(journal.fileno()).st_ino for journal in found]
                if inodes == list(listed.values()) and (len(listed) < 2 or list_journals(paths) == listed):
                    break
            # the list and the open files disagree: a writer was renaming or removing journals
            stack.close()
        yield found


def remove_leftovers(paths: RunPaths) -> None:
    """Complete an interrupted removal of several journals. The caller must hold the folder's lock."""
    if paths.complete.exists():
        remove(paths, [entry for entry in os.listdir(paths.folder) if is_journal(entry)])  # noqa: PTH208 - names


def remove(paths: RunPaths, names: list[str]) -> None:
    """Remove the journals as if at once; metrics.json must hold all their points and be synced."""
    with atomic.writing(paths.folder):
        if len(names) > 1:
            # from here on readers ignore the journals that are still there
            atomic.write_bytes(paths.complete, b"", durable=False)
        for name in names:
            (paths.folder / name).unlink(missing_ok=True)
        paths.complete.unlink(missing_ok=True)


def keep_damaged(paths: RunPaths, lines: list[bytes]) -> None:
    """Keep unreadable lines in a file that outlives the journals, each once."""
    if not lines:
        return
    from tracking.values.units import counted  # most journals are whole

    known = paths.damaged.read_bytes() if paths.damaged.exists() else b""
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
    """Return the first line of the journal of a process that does not own the run."""
    return jsontext.encode({"writer": identity.owner()}) + b"\n"


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
        with (paths.folder / name).open("rb") as journal:
            writer = jsontext.decode(journal.readline())["writer"]
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return Life.GONE  # a power loss truncated it and ended its writer
    return identity.life(writer, paths.processes) if isinstance(writer, dict) else Life.UNKNOWN


def read_owner(paths: RunPaths) -> dict[str, Any]:
    """Return the content of run.json; empty for a run of other code or a damaged file."""
    try:
        return atomic.read_object(paths.run)
    except (FileNotFoundError, CorruptFileError):
        return {}
