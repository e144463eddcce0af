"""The sweeps of a store as a list, and short texts that change when a page of sweeps may show something else."""

import functools
from pathlib import Path
from typing import Any

from sweeps.dashboard.facts.forecast import time_left_s
from sweeps.dashboard.facts.known_runs import KnownRuns
from sweeps.dashboard.facts.sweep_facts import readable_sweep
from sweeps.dashboard.facts.timeline import timeline
from sweeps.errors import SweepError
from sweeps.paths import sweep_folders
from sweeps.ranking.promotion import NAME as PROMOTION
from sweeps.ranking.promotion import decided
from sweeps.ranking.status import SweepState, sweep_status
from sweeps.state.lock import LOCK, parent_of
from tracking import TrackingError
from tracking.registry import history_stamp

FILES = ("plan.json", "jobs.jsonl", PROMOTION)  # what the facts of a sweep follow from, beside its runs


def sweep_list(store: Path) -> list[dict[str, Any]]:
    """Return the sweeps of a store, the newest first; one that cannot be read has `error`, a sentence, and its name alone.

    Reads a sweep once a process, and again when it has changed.
    """
    found = [_summary(folder, sweep_stamp(folder)) for folder in sweep_folders(store)]
    return sorted(
        ({**each} for each in found),
        key=lambda each: (each.get("created_at") or "", each["sweep"]),
        reverse=True,
    )


def sweeps_stamp(store: Path) -> str:
    """Return a text that changes when `sweep_list` may; costs some ten microseconds a sweep."""
    return _short(tuple(f"{folder.name} {sweep_stamp(folder)}" for folder in sweep_folders(store)))


def sweep_stamp(folder: Path) -> str:
    """Return a text that changes when what the list shows of a sweep may."""
    return _short((*(_state_of(folder / name) for name in FILES), _runs(folder)))


def page_stamp(folder: Path) -> str:
    """Return a text that changes when `sweep_facts` may, but for the clock and what running jobs log.

    Beside the sweep it tells of the champion of its model, which anybody may change.
    """
    return _short((sweep_stamp(folder), _champion(folder, _state_of(folder / PROMOTION))))


def _champion(folder: Path, promotion: str) -> str:
    """Return a text that changes with the history of the model that a sweep was to improve; `promotion` is the state of that file."""
    model = _model_of(folder, promotion)
    return "" if model is None else history_stamp(folder.parent.parent, model)


@functools.lru_cache(maxsize=256)
def _model_of(folder: Path, promotion: str) -> str | None:  # noqa: ARG001 - a part of the cache's key
    try:
        found = decided(folder)
    except (TrackingError, OSError):
        return None
    return None if found is None else str(found["model_name"])


def _short(parts: tuple[str, ...]) -> str:
    return format(hash_of("\n".join(parts)), "016x")


def hash_of(text: str) -> int:
    """Return a number of 64 bits for a text, the same in every process."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(text.encode(errors="surrogateescape"), digest_size=8).digest(), "big")


def _state_of(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_mtime_ns} {found.st_size} {found.st_ino}"


def _runs(folder: Path) -> str:
    """Return whether a process runs the sweep; a sweep whose lock is damaged is not known to."""
    try:
        return "runs" if (folder / LOCK).exists() and parent_of(folder) is not None else "rests"
    except (SweepError, TrackingError, OSError):
        return "unknown"


@functools.lru_cache(maxsize=4096)
def _summary(folder: Path, stamp: str) -> dict[str, Any]:  # noqa: ARG001 - a part of the cache's key
    """Return what the list shows of a sweep; `stamp` lets it be read again when it has changed."""
    try:
        with readable_sweep(folder):
            return _read(folder)
    except (SweepError, TrackingError, OSError) as error:
        return {"sweep": folder.name, "error": str(error)}  # the other sweeps are listed


def _read(folder: Path) -> dict[str, Any]:
    found = sweep_status(folder, KnownRuns)
    is_running = found.state is SweepState.RUNNING
    times = timeline(folder / "jobs.jsonl", now=None, signs=found.history.signs)
    winner = found.board.winner
    return {
        "sweep": found.plan.sweep,
        "state": str(found.state),
        "created_at": found.plan.created_at,
        "ended_at": None if is_running else times.ended_at,
        "jobs": len(found.jobs),
        "n_trials": (found.plan.search or {}).get("n_trials"),
        "counts": found.counts,
        "best": winner.objective if winner else None,
        "metric": found.board.objective.label,
        "mode": str(found.board.objective.mode),
        "run": winner.run if winner else None,
        "eta_s": time_left_s(found, times) if is_running else None,
    }
