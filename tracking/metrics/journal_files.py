"""The journals of one run: which there are, whose they are, and all of them opened at one moment.

Every process that logs into a run has a journal of its own, so nobody changes a file that another writes. The
run's owner, the process that run.json names, writes metrics.jsonl; any other writes metrics.<writer>.jsonl, whose
first line says who that is. A writer that ends while others go on renames its journal to metrics.<token>.closed.jsonl.
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
from tracking.values import jsontext

log = logging.getLogger("tracking")

Inodes = dict[str, int]


def list_journals(paths: RunPaths) -> Inodes:
    """The names of a run's journals, the owner's first, each with its inode.

    Empty when metrics.json is the truth: there is none, or what is left of them is being removed.
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
    """The journals of a run, open for reading, as they stood together at one moment.

    None when metrics.json is the truth. Whatever happens to their names meanwhile, what was opened is whole.
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
            stack.close()
        yield found


def remove_leftovers(paths: RunPaths) -> None:
    """Complete a removal of several journals that was interrupted; only for the holder of the folder's lock."""
    if paths.complete.exists():
        remove(paths, [entry for entry in os.listdir(paths.folder) if is_journal(entry)])  # noqa: PTH208 - names


def remove(paths: RunPaths, names: list[str]) -> None:
    """Remove all journals as if at once; metrics.json must hold all that they do, and be synced."""
    with atomic.writing(paths.folder):
        if len(names) > 1:
            atomic.write_bytes(paths.complete, b"", durable=False)
        for name in names:
            (paths.folder / name).unlink(missing_ok=True)
        paths.complete.unlink(missing_ok=True)


def keep_damaged(paths: RunPaths, lines: list[bytes]) -> None:
    """Keep lines that could not be read where they outlive the journals, each once."""
    if not lines:
        return
    known = paths.damaged.read_bytes() if paths.damaged.exists() else b""
    there = set(known.split(b"\n"))
    atomic.write_bytes(
        paths.damaged, known + b"".join(line + b"\n" for line in lines if line not in there), durable=False
    )
    atomic.sync(paths.damaged)
    log.warning("%s: %d damaged lines are kept in %s", paths.folder, len(lines), paths.damaged.name)


def own_name(paths: RunPaths) -> str:
    """The name of this process' journal in a run that another process owns; no other process ever has it."""
    owner = identity.owner()
    return paths.journal_of(
        f"{identity.host_name()}.{owner['pid']}.{zlib.crc32(jsontext.encode(owner)):08x}"
    ).name


def header() -> bytes:
    """The first line of such a journal."""
    return jsontext.encode({"writer": identity.owner()}) + b"\n"


def is_abandoned(paths: RunPaths, name: str, owner: dict[str, Any]) -> bool:
    """Whether no process writes a journal any more; `owner` is what run.json says."""
    if name.endswith(CLOSED_JOURNAL):
        return True
    if name == paths.journal.name:
        return identity.is_gone(owner)
    try:
        with (paths.folder / name).open("rb") as journal:
            writer = jsontext.decode(journal.readline())["writer"]
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return True  # torn by the power loss that ended its writer
    return isinstance(writer, dict) and identity.is_gone(writer)


def read_owner(paths: RunPaths) -> dict[str, Any]:
    """What run.json says of the run's owner and status; empty for a run of other code or a damaged one."""
    try:
        return atomic.read_object(paths.run)
    except (FileNotFoundError, CorruptFileError):
        return {}
