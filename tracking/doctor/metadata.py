"""Check of metadata.json against the runs that it lists."""

import os
from contextlib import suppress
from functools import partial
from typing import Any

from tracking.doctor.findings import Examination, Fault
from tracking.errors import CorruptFileError, UnreadableFileError
from tracking.files import atomic, regular
from tracking.store.published import encode_list, list_runs, read_metadata
from tracking.store.store import Store
from tracking.values import jsontext
from tracking.values.units import counted

DAMAGED = "it is damaged"

Entry = dict[str, Any]


def examine_metadata(seen: Examination) -> None:
    """Publish metadata.json again where it is missing, damaged, or differs from the runs."""
    what = _fault(seen)
    if what:
        path = seen.store.paths.metadata
        remedy = "publish it again" + (
            ", and keep this one as metadata.json.damaged"
            if what == DAMAGED or what.startswith("is ")
            else ""
        )
        seen.repair(Fault.OLD_VIEW, path, what, remedy, partial(_publish, seen.store))


def _publish(store: Store) -> None:
    with atomic.writing(store.paths.metadata), suppress(FileNotFoundError):
        # older than every run, so that all are read again; kept, because it may be all that is known of a run
        os.utime(store.paths.metadata, (0, 0), follow_symlinks=False)
    store.publisher.publish(force=True)


def _fault(seen: Examination) -> str | None:
    """Return how the list differs from what would be published now; runs that cannot be read have their own check."""
    paths = seen.store.paths
    if not regular.is_folder(paths.runs):
        return None
    try:
        published = read_metadata(paths.metadata)
    except UnreadableFileError as error:
        return str(error).removeprefix(f"{paths.metadata} ").partition(";")[0]
    except CorruptFileError:
        return DAMAGED
    listed = list_runs(paths, published, 0, lambda _: None)
    texts = jsontext.decode(encode_list(listed))
    # a run that other code wrote is listed as its entry is, even if that names another folder
    expected = {entry["run_id"]: entry for entry in texts if regular.is_file(paths.run(entry["run_id"]).run)}
    if not regular.exists(paths.metadata):
        return "it is missing" if expected else None
    if expected.keys() - published.keys():
        return f"it lacks {len(expected.keys() - published.keys())} of {len(expected)} runs"
    if gone := published.keys() - listed.keys():
        return f"it lists {counted(len(gone), 'run')} without a folder"
    different = [run_id for run_id in expected if published[run_id] != expected[run_id]]
    if not any(_differs(published[run_id], expected[run_id]) for run_id in different):
        return f"it names another folder for {len(different)} of {len(expected)} runs" if different else None
    return f"it is out of date for {len(different)} of {len(expected)} runs"


def _differs(published: Entry, expected: Entry) -> bool:
    """Return whether two entries differ in more than the folder, which differs once the store was copied or renamed."""
    return {**published, "run_dir": None} != {**expected, "run_dir": None}
