"""Checks of runs: dead and silent ones, folders that never became runs, and files that contradict each other."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from tracking.doctor.findings import Examination, Fault
from tracking.errors import CorruptFileError
from tracking.files import atomic, locks
from tracking.files.atomic import is_temporary
from tracking.metrics import journal_files
from tracking.metrics.history import read_history
from tracking.metrics.journal import Journal
from tracking.metrics.summary import Stats, count_history, read_view, write_summary
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.records import RunStatus
from tracking.store import amend
from tracking.store.numbering import remember_deleted
from tracking.values import timestamps
from tracking.values.units import counted

SILENCE_S = 7 * 86400.0  # without a sign of life from another host
CLAIM_S = 60.0  # run.json follows the claim of a folder within milliseconds
DEAD_RUN_ERROR = "its process ended without reporting a result"

Entry = dict[str, Any]


def examine_runs(seen: Examination) -> None:
    """Check each run folder."""
    is_list_damaged = _is_list_damaged(seen)
    for run_id in seen.store.scan.folder_names():
        paths = seen.store.paths.run(run_id)
        with seen.naming_damage(paths.run):
            # a damaged metadata.json is reported by its own check, and describes no run
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
    life = identity.life(identity.opener(entry), paths.processes)
    if entry["status"] == RunStatus.RUNNING and life is not identity.Life.GONE:
        if life is identity.Life.UNKNOWN:
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
        _finish_dead(seen, paths, entry)
        if not names:  # it died before its first line, when it was opened again or for the first time
            _examine_views(seen, paths)
    elif names or paths.complete.exists():
        what = "the run has ended, but its metrics are not in their final form"
        remedy = "write metrics.json and summary.json"
        seen.repair(Fault.UNFINISHED, paths.journal, what, remedy, Journal(paths).finish)
    elif paths.run.exists():
        _examine_views(seen, paths)
    if paths.damaged.exists():
        what = "lines of the journal could not be read when the run ended"
        seen.leave(Fault.DAMAGED, paths.damaged, what, "log their metrics again, and remove the file")


def _examine_journals(seen: Examination, paths: RunPaths, entry: Entry, names: Sequence[str]) -> bool:
    """Return whether all journals can be given their final form: no process writes them, and no line is damaged."""
    if not all(journal_files.is_abandoned(paths, name, entry) for name in names):
        return False
    # not all(), which stops at the first damaged one
    return sum(seen.check_lines(paths.folder / name) for name in names) == len(names)


def _examine_views(seen: Examination, paths: RunPaths) -> None:
    with seen.naming_damage(paths.metrics):
        expected = count_history(read_history(paths))
        written, absorbed = read_view(paths.summary)
        if written and not paths.metrics.exists():
            what = f"it is missing, but summary.json has {counted(len(written), 'metric')}"
            remedy = "restore it from a copy; summary.json stays, as it is all that is known of them"
            seen.leave(Fault.LOST, paths.metrics, what, remedy)
        elif absorbed is not None or _text(written) != _text(expected):
            write = partial(write_summary, paths.summary, expected, None)
            seen.repair(
                Fault.OLD_VIEW, paths.summary, "it differs from metrics.json", "write it again", write
            )


def _text(stats: Stats) -> str:
    # in which NaN is equal to itself
    return repr(sorted(stats.items()))


def _finish_dead(seen: Examination, paths: RunPaths, entry: Entry) -> None:
    what = f"its status is running, but its process {identity.opener(entry).get('pid')} has ended"
    remedy = f"finish it as killed at {amend.last_sign_of_life(paths, entry)}"
    finish = partial(amend.finish, seen.store, paths.folder.name, RunStatus.KILLED, error=DEAD_RUN_ERROR)
    seen.repair(Fault.DEAD_RUN, paths.run, what, remedy, finish)


def _examine_silence(seen: Examination, paths: RunPaths, entry: Entry) -> None:
    host = identity.opener(entry).get("host")
    silent_s = time.time() - timestamps.parse(amend.last_sign_of_life(paths, entry)).timestamp()
    if host == identity.owner()["host"]:
        who = amend.process_text(identity.opener(entry))
        what = f"it is running, and whether {who}, of another container, is alive cannot be seen from here"
    elif silent_s >= SILENCE_S:
        where = host or "an unknown host"
        what = f"it is running on {where}, and wrote nothing for {silent_s / 86400:.0f} days"
    else:
        return
    remedy = f"if it has ended: python -m tracking finish {paths.folder.name} --status killed"
    seen.leave(Fault.SILENT_RUN, paths.run, what, remedy)


def _examine_claim(seen: Examination, paths: RunPaths) -> None:
    if time.time() - paths.folder.stat().st_ctime < CLAIM_S:
        return
    held = [path for path in paths.folder.rglob("*") if not (path.is_dir() or is_temporary(path))]
    if held:
        what = f"it holds {held[0].name} and no run.json"
        seen.leave(Fault.NO_RUN, paths.folder, what, "restore its run.json, or move it out of the store")
        return
    remedy = "remove the folder; its number is not given again"
    what = "it was claimed and never became a run"
    seen.repair(Fault.NO_RUN, paths.folder, what, remedy, partial(_remove_claim, seen, paths))


def _remove_claim(seen: Examination, paths: RunPaths) -> None:
    with locks.lock(seen.store.paths.trash_lock):
        remember_deleted(seen.store.paths, paths.folder.name)
    with atomic.writing(paths.folder):
        # rmdir removes only empty folders, so a file that another process writes meanwhile stays
        for path in [*sorted(paths.folder.rglob("*"), reverse=True), paths.folder]:
            path.rmdir() if path.is_dir() else path.unlink()
