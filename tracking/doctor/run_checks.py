"""Runs: the dead, the silent, the never begun, and files that do not agree."""

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from tracking.doctor.findings import Examination, Fault
from tracking.doctor.json_lines import examine_lines
from tracking.errors import CorruptFileError
from tracking.files import atomic, locks
from tracking.files.atomic import is_temporary
from tracking.metrics import journal_files
from tracking.metrics.history import read_history
from tracking.metrics.journal import Journal
from tracking.metrics.summary import Stats, count_history, frozen, read_view, write_summary
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.records import RunStatus
from tracking.store import amend
from tracking.store.numbering import remember_deleted
from tracking.values import timestamps
from tracking.values.names import is_component, natural_key

SILENCE_S = 7 * 86400.0  # a run of another host that left no trace for so long is worth a question
CLAIM_S = 60.0  # between claiming a folder and writing run.json lie milliseconds
LAST_WORDS = "its process ended without a word"

Entry = dict[str, Any]


def examine_runs(seen: Examination) -> None:
    """Look at each run folder."""
    try:
        found = [entry.name for entry in os.scandir(seen.store.paths.runs) if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return
    is_list_damaged = _is_list_damaged(seen)
    for run_id in sorted(filter(is_component, found), key=natural_key):
        paths = seen.store.paths.run(run_id)
        with seen.naming_damage(paths.run):
            # a damaged metadata.json is named once, and speaks for no run
            is_unknown = is_list_damaged and not paths.run.exists()
            entry = None if is_unknown else seen.store.scan.entry(run_id)
            if entry is None:
                _examine_claim(seen, paths)
            else:
                seen.runs += 1
                _examine_run(seen, paths, entry)


def _is_list_damaged(seen: Examination) -> bool:
    try:
        seen.store.scan.foreign_entries()
    except CorruptFileError:
        return True
    return False


def _examine_run(seen: Examination, paths: RunPaths, entry: Entry) -> None:
    if entry["status"] == RunStatus.RUNNING and not identity.is_gone(entry):
        _examine_silence(seen, paths, entry)
        return
    with seen.naming_damage(paths.params):
        seen.store.scan.params(paths.folder.name)
    for path in (paths.environment, paths.git):
        if path.exists():
            with seen.naming_damage(path):
                atomic.read_object(path)
    names = list(journal_files.list_journals(paths))
    if not _examine_journals(seen, paths, entry, names):
        return
    if entry["status"] == RunStatus.RUNNING:
        _bury(seen, paths, entry)
    elif names or paths.complete.exists():
        seen.repair(
            Fault.UNFINISHED,
            paths.journal,
            "the run is over and its metrics have not their final form",
            "write metrics.json and summary.json",
            Journal(paths).finish,
        )
    elif paths.run.exists():
        _examine_views(seen, paths)
    if paths.damaged.exists():
        seen.leave(
            Fault.DAMAGED,
            paths.damaged,
            "lines of the journal could not be read when the run ended",
            "log again what they tell, and remove the file",
        )


def _examine_journals(seen: Examination, paths: RunPaths, entry: Entry, names: Sequence[str]) -> bool:
    """Whether the journals, if there are any, can be given their final form: nobody writes them, nothing is damaged."""
    if not all(journal_files.is_abandoned(paths, name, entry) for name in names):
        return False
    # a damaged line would be missing in the final form
    return sum(examine_lines(seen, paths.folder / name) for name in names) == len(names)


def _examine_views(seen: Examination, paths: RunPaths) -> None:
    with seen.naming_damage(paths.metrics):
        expected = count_history(read_history(paths))
        told, absorbed = read_view(paths.summary)
        if told and not paths.metrics.exists():
            seen.leave(
                Fault.LOST,
                paths.metrics,
                f"it is missing, and summary.json tells of {len(told)} metrics",
                "restore it from a copy; summary.json stays as all that is known of them",
            )
        elif absorbed is not None or _plain(told) != _plain(expected):
            seen.repair(
                Fault.OLD_VIEW,
                paths.summary,
                "it does not say what metrics.json says",
                "write it again",
                partial(write_summary, paths.summary, expected, None),
            )


def _plain(stats: Stats) -> str:
    # as text: NaN is equal to itself there
    return repr(sorted(frozen(stats).items()))


def _bury(seen: Examination, paths: RunPaths, entry: Entry) -> None:
    run_id = paths.folder.name
    seen.repair(
        Fault.DEAD_RUN,
        paths.run,
        f"it is running, and its process {entry.get('pid')} is gone",
        f"write it down as killed at {amend.last_sign_of_life(paths, entry)}",
        partial(amend.finish, seen.store, run_id, RunStatus.KILLED, error=LAST_WORDS),
    )


def _examine_silence(seen: Examination, paths: RunPaths, entry: Entry) -> None:
    silent_s = time.time() - timestamps.parse(amend.last_sign_of_life(paths, entry)).timestamp()
    if entry.get("host") == identity.owner()["host"] or silent_s < SILENCE_S:
        return
    run_id, host = paths.folder.name, entry.get("host") or "an unknown host"
    seen.leave(
        Fault.SILENT_RUN,
        paths.run,
        f"it runs on {host}, and nothing was heard of it for {silent_s / 86400:.0f} days",
        f"if it is over: python -m tracking finish {run_id} --status killed",
    )


def _examine_claim(seen: Examination, paths: RunPaths) -> None:
    if time.time() - paths.folder.stat().st_ctime < CLAIM_S:
        return
    held = [path for path in paths.folder.rglob("*") if not (path.is_dir() or is_temporary(path))]
    if held:
        seen.leave(
            Fault.NO_RUN,
            paths.folder,
            f"it holds {held[0].name} and no run.json",
            "restore its run.json, or move it out of the store",
        )
        return
    seen.repair(
        Fault.NO_RUN,
        paths.folder,
        "it was claimed and never became a run",
        "remove the folder; its number is not given again",
        partial(_remove_claim, seen, paths),
    )


def _remove_claim(seen: Examination, paths: RunPaths) -> None:
    with locks.lock(seen.store.paths.trash_lock):
        remember_deleted(seen.store.paths, paths.folder.name)
    with atomic.writing(paths.folder):
        # only what is empty can go this way, whoever may be at work in there
        for path in [*sorted(paths.folder.rglob("*"), reverse=True), paths.folder]:
            path.rmdir() if path.is_dir() else path.unlink()
