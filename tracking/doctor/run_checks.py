"""Checks of runs: dead and silent ones, folders that never became runs, and files that contradict each other."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tracking.doctor.findings import Examination, Fault
from tracking.errors import CorruptFileError
from tracking.files import atomic, folders, locks, regular
from tracking.files.atomic import is_temporary
from tracking.metrics import journal_files
from tracking.metrics.history import read_history, read_metrics_json
from tracking.metrics.journal import Journal
from tracking.metrics.sources import count_points
from tracking.metrics.summary import count_history
from tracking.metrics.summary_file import Stats, View, fullest, read_view, size_of, write_view
from tracking.paths import RunPaths, is_conflict, is_conflict_of_metrics, is_journal
from tracking.process import identity
from tracking.process.program import command
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
            is_unknown = is_list_damaged and not regular.exists(paths.run)
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
    _examine_items(seen, paths)
    life = identity.life(identity.opener(entry), paths.processes)
    if entry["status"] == RunStatus.RUNNING and life is not identity.Life.GONE:
        if life is identity.Life.UNKNOWN:
            _examine_silence(seen, paths, entry)
        return
    with seen.naming_damage(paths.params):
        seen.store.scan.params(paths.folder.name)
    for path in (paths.environment, paths.git):
        with seen.naming_damage(path), suppress(FileNotFoundError):
            atomic.read_object(path)
    names, conflicts = journal_files.listing(paths)
    if not _examine_journals(seen, paths, entry, names):
        return
    if entry["status"] == RunStatus.RUNNING:
        _finish_dead(seen, paths, entry)
        if not names:  # it died before its first line, when it was opened again or for the first time
            _examine_views(seen, paths)
    elif names:
        what = "the run has ended, but its metrics are not in their final form"
        remedy = "write metrics.json and summary.json"
        seen.repair(Fault.UNFINISHED, paths.journal, what, remedy, _counting(paths, _finish_metrics))
    elif regular.exists(paths.run):
        if conflicts:
            _examine_conflicts(seen, paths)
        _examine_views(seen, paths)
    if regular.exists(paths.damaged):
        what = "lines of the journal could not be read when the run ended"
        seen.leave(Fault.DAMAGED, paths.damaged, what, "log their metrics again, and remove the file")


def _examine_journals(seen: Examination, paths: RunPaths, entry: Entry, names: Sequence[str]) -> bool:
    """Return whether all journals can be given their final form: no process writes them, and no line is damaged."""
    if not all(journal_files.is_abandoned(paths, name, entry) for name in names):
        return False
    # not all(), which stops at the first damaged one
    return sum(seen.check_lines(paths.folder / name) for name in names) == len(names)


def _examine_items(seen: Examination, paths: RunPaths) -> None:
    """Name what is neither a file nor a folder, and what a sync program kept beside another version."""
    files = {
        *(paths.run, paths.params, paths.metrics, paths.summary, paths.environment, paths.git),
        *(paths.config, paths.output, paths.error, paths.usage, paths.patch),
    }
    with seen.naming_damage(paths.folder):
        for path in sorted(paths.folder.iterdir()):
            is_misplaced = path in files or is_journal(path.name)
            if not regular.is_file(path) and (is_misplaced or not regular.is_folder(path)):
                with seen.naming_damage(path):
                    regular.refuse_odd(path)
            elif is_conflict(path.name):
                what = "a sync program kept it beside another version"
                advice = "compare the two, keep one under its proper name, and remove the other"
                if is_conflict_of_metrics(path.name):
                    what, advice = (
                        f"{what}; its points are among those of the run",
                        "remove it once the run has ended",
                    )
                seen.leave(Fault.CONFLICT, path, what, advice)


def _examine_conflicts(seen: Examination, paths: RunPaths) -> None:
    with seen.naming_damage(paths.metrics):
        more = count_points(read_history(paths)) - count_points(read_metrics_json(paths.metrics))
        if more > 0:
            what = f"it lacks {counted(more, 'point')} that conflict copies have"
            seen.repair(
                Fault.OLD_VIEW, paths.metrics, what, "write it again", _counting(paths, _finish_metrics)
            )


def _examine_views(seen: Examination, paths: RunPaths) -> None:
    with seen.naming_damage(paths.metrics):
        expected = count_history(read_history(paths))
        view = read_view(paths.summary)
        if fullest(expected, view) is not expected and view:
            if regular.exists(paths.metrics):
                counts = (sum(each.count for each in stats.values()) for stats in (expected, view.stats))
                what = "it has {} of the {} points that summary.json counted".format(*counts)
            else:
                what = f"it is missing, but summary.json has {counted(len(view.stats), 'metric')}"
            remedy = "restore it from a copy; summary.json stays, as it is all that is known of them"
            seen.leave(Fault.LOST, paths.metrics, what, remedy)
        elif not _is_same(view, expected, size_of(paths.metrics)):
            write = partial(
                write_view, paths.summary, View(expected, None, metrics_bytes=size_of(paths.metrics))
            )
            seen.repair(
                Fault.OLD_VIEW, paths.summary, "it differs from metrics.json", "write it again", write
            )


def _is_same(view: View | None, expected: Stats, metrics_bytes: int | None) -> bool:
    if view is None or not view.is_complete:
        return view is None and not expected  # a run without metrics needs none
    is_sized = view.metrics_bytes in (None, metrics_bytes)  # version 0.1.0 did not write the size
    return is_sized and _text(view.stats) == _text(expected)


def _finish_metrics(paths: RunPaths) -> None:
    Journal(paths).finish(proves=True)


def _counting(paths: RunPaths, act: Callable[[RunPaths], object]) -> Callable[[], str]:
    """Return a repair that counts the points of the run before and after, and fails if there are fewer then."""

    def repair() -> str:
        before = count_points(read_history(paths))
        act(paths)
        after = count_points(read_history(paths))
        if after < before:
            raise CorruptFileError(
                f"{paths.folder} had {counted(before, 'point')} before and has {after} now"
            )
        return f"{counted(before, 'point')} before, {after} after"

    return repair


def _text(stats: Stats) -> str:
    # in which NaN is equal to itself
    return repr(sorted(stats.items()))


def _finish_dead(seen: Examination, paths: RunPaths, entry: Entry) -> None:
    what = f"its status is running, but its process {identity.opener(entry).get('pid')} has ended"
    remedy = f"finish it as killed at {amend.last_sign_of_life(paths, entry)}"

    def finish(paths: RunPaths) -> None:
        amend.finish(seen.store, paths.folder.name, RunStatus.KILLED, error=DEAD_RUN_ERROR)

    seen.repair(Fault.DEAD_RUN, paths.run, what, remedy, _counting(paths, finish))


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
    remedy = f"if it has ended: {command(f'finish {paths.folder.name} --status killed')}"
    seen.leave(Fault.SILENT_RUN, paths.run, what, remedy)


def _examine_claim(seen: Examination, paths: RunPaths) -> None:
    if time.time() - paths.folder.lstat().st_ctime < CLAIM_S:
        return
    held = [path for path in folders.walk(paths.folder) if not is_temporary(path)]
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
        for place, inner, names in os.walk(paths.folder, topdown=False):
            for name in names:
                Path(place, name).unlink()
            for name in inner:
                Path(place, name).rmdir()
        paths.folder.rmdir()
