"""Where a run came from: what is the same for a run and all its copies, here and in other trackers."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from tracking.store.store import Store


class Origin(NamedTuple):
    """The id that a run had where it was recorded, and a text that only its copies share."""

    run_id: str
    uid: str

    def __str__(self) -> str:
        return f"{self.run_id}:{self.uid}"


def origin_of(entry: Mapping[str, Any], store: Store) -> Origin:
    """Return the origin of a run; it differs between any two runs, and is the same for a run and its copies.

    A run that other code wrote has no id of its own, and is identified by the store it was written in.
    """
    told = entry.get("imported_from")
    told = told if isinstance(told, dict) else {}
    run_id = str(told.get("run_id", entry["run_id"]))
    if entry.get("uid"):
        return Origin(run_id, str(entry["uid"]))
    if entry.get("host"):
        parts = [str(entry.get(key)) for key in ("created_at", "host", "pid", "process_started")]
    else:
        parts = [str(entry.get("created_at")), str(told.get("store") or store.paths.base.resolve())]
    return Origin(run_id, hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:16])


def parse_origin(text: str) -> Origin | None:
    """Return the origin that `str` wrote; None for any other text."""
    run_id, _, uid = text.rpartition(":")
    return Origin(run_id, uid) if run_id and uid else None
