"""The runs that no table shows because they cannot be read, with the reason of each."""

import threading
from collections.abc import Sequence
from typing import Any

from tracking.browse import cells
from tracking.errors import CorruptFileError
from tracking.store.store import Store

MOST = 100  # runs whose files are read for the reason


class LeftOut:
    """Says what is wrong with damaged runs; reads each of them once for a version of the table."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: tuple[str, dict[str, str | None]] = ("", {})

    def reasons(self, run_ids: Sequence[str], version: str) -> list[dict[str, Any]]:
        """Return the damaged runs with what is wrong; one that reads again is not among them."""
        if not run_ids:
            return []
        with self._lock:
            known = dict(self._known[1]) if self._known[0] == version else {}
        for run_id in run_ids[:MOST]:
            if run_id not in known:
                known[run_id] = self._why(run_id)
        with self._lock:
            self._known = version, known
        faults = [(run_id, known.get(run_id, "it cannot be read")) for run_id in run_ids]
        return [{"run_id": cells.value(run_id), "why": why} for run_id, why in faults if why]

    def _why(self, run_id: str) -> str | None:
        try:
            entry = self._store.scan.entry(run_id)
            if entry is not None:
                self._store.scan.record(entry)
        except CorruptFileError as error:
            return str(cells.value(str(error)))
        return None
