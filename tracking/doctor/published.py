"""metadata.json against the runs it lists."""

import os
from contextlib import suppress
from functools import partial
from typing import Any

from tracking import files
from tracking.doctor.findings import Examination, Fault
from tracking.errors import CorruptFileError
from tracking.metadata import public_entry, read_metadata
from tracking.store import Store

Entry = dict[str, Any]


def examine_metadata(seen: Examination) -> None:
    """Publish metadata.json again where it is missing, damaged, or does not say what the runs say."""
    what = _fault(seen)
    if what:
        path = seen.store.paths.metadata
        seen.repair(Fault.OLD_VIEW, path, what, "publish it again", partial(_publish, seen.store))


def _publish(store: Store) -> None:
    with files.writing(store.paths.metadata), suppress(FileNotFoundError):
        # as if every run had changed since it was written; it stays, because it may be all that is known of a run
        os.utime(store.paths.metadata, (0, 0))
    store.publisher.publish(force=True)


def _fault(seen: Examination) -> str | None:
    paths = seen.store.paths
    if not paths.runs.is_dir():
        return None
    expected, unreadable = _expected(seen)
    try:
        published = read_metadata(paths.metadata)
    except CorruptFileError:
        return "it is damaged"
    if not paths.metadata.exists():
        return "it is missing" if expected else None
    if expected.keys() - published.keys():
        return f"it lacks {len(expected.keys() - published.keys())} of {len(expected)} runs"
    if gone := published.keys() - expected.keys() - unreadable:
        return f"it lists {len(gone)} runs that are gone"
    different = [run_id for run_id in expected if published[run_id] != expected[run_id]]
    return f"it is behind on {len(different)} of {len(expected)} runs" if different else None


def _expected(seen: Examination) -> tuple[dict[str, Entry], set[str]]:
    """What metadata.json should say of each run that can be read; and those that cannot."""
    store = seen.store
    prefix = f"{store.paths.base.resolve().name}/runs/"
    expected, unreadable = {}, set()
    for run_id in store.run_ids():
        try:
            entry = store.entry(run_id)
        except CorruptFileError:
            unreadable.add(run_id)
            continue
        # a run of other code is published as its entry stands, wherever that says its folder is
        if entry and store.paths.run(run_id).run.exists():
            expected[run_id] = files.decode(files.encode(public_entry(entry, prefix + run_id)))
        else:
            unreadable.add(run_id)
    return expected, unreadable
