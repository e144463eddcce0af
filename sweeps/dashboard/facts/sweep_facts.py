"""A sweep as plain data for pages: what it tried, what came of each job, what led when, and what failed.

Everything follows from the files of the sweep and the summaries of its runs, also while it runs, and for sweeps of all past
versions. No library for numbers is loaded unless the importance of keys is asked for. Values that look secret are masked.
"""

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeps.dashboard.facts.failures import failures
from sweeps.dashboard.facts.forecast import time_left_s
from sweeps.dashboard.facts.job_table import candidate_rows, job_columns, readable
from sweeps.dashboard.facts.known_runs import KnownRuns
from sweeps.dashboard.facts.scales import scales_of
from sweeps.dashboard.facts.timeline import Timeline, timeline
from sweeps.display.tables import short_names
from sweeps.errors import SweepError
from sweeps.paths import shown
from sweeps.ranking.beliefs import beliefs, what_decides
from sweeps.ranking.best_so_far import best_so_far
from sweeps.ranking.importance import Importance
from sweeps.ranking.promotion import decided
from sweeps.ranking.status import SweepState, SweepStatus, sweep_status
from sweeps.state.resume import resume_hint
from tracking import ModelRegistry, TrackingError, UnknownModelError
from tracking.values.secrets import masked, masked_command
from tracking.verdicts import whole_of

NOT_ASKED = Importance(0)


def sweep_facts(folder: Path, *, with_importance: bool = False) -> dict[str, Any]:
    """Return the facts about the sweep in `folder`; raise as `rank` does, and `SweepError` for damaged files.

    Reads the ledger twice and one summary per job, of a job that has ended once a process. With `with_importance` it loads scikit-learn if there are enough jobs.
    """
    with readable_sweep(folder):
        found = sweep_status(folder, KnownRuns)
        return facts_of(found, what_decides(found.board, found.history.reached) if with_importance else None)


@contextlib.contextmanager
def readable_sweep(folder: Path) -> Iterator[None]:
    """Raise `SweepError` with the sweep's name for what its files hold that no sweep writes."""
    try:
        yield
    except (SweepError, TrackingError, OSError):
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SweepError(f"{folder.name}: its files hold what no sweep writes: {error!r:.200}") from error


def facts_of(found: SweepStatus, decides: Importance | None = None) -> dict[str, Any]:
    """Return the facts about a sweep whose status is known, and what `decides` its values if that is."""
    now = datetime.now(UTC)
    is_running = found.state is SweepState.RUNNING
    times = timeline(found.folder / "jobs.jsonl", now=now if is_running else None, signs=found.history.signs)
    plan, board = found.plan, found.board
    warnings: list[str] = []
    promotion = _promotion(found.folder, warnings)
    facts = {
        **_head(found, times, is_running=is_running),
        "as_of": now.isoformat(timespec="milliseconds"),
        "objectives": [
            {"label": each.label, "metric": each.metric, "mode": str(each.mode), "at": str(each.at)}
            for each in board.objectives
        ],
        "constraints": list(board.constraints),
        "swept": list(board.swept),
        "names": short_names(board.swept, board.labels),
        "scales": scales_of(board, plan),
        "repeats": list(board.repeats),
        "counts": found.counts,
        "jobs": job_columns(found, times),
        "candidates": candidate_rows(board),
        "best_so_far": _best_so_far(found, times),
        "timeline": times.as_plain(),
        "failures": failures(found.folder, found.jobs, found.history),
        "search": _search(found),
        "usage": None if board.usage is None else asdict(board.usage),
        "eta_s": time_left_s(found, times) if is_running else None,
        "promotion": promotion,
        "verdict": _verdict(found, promotion, warnings),
        "champion": _champion(found, promotion, warnings),
        "data": [masked(dict(each)) for each in board.data],
        "code_notes": list(board.code_notes),
        "notes": list(board.notes),
        "repeat": _repeat(found),
        "warnings": warnings,
        "importance": None if decides is None else asdict(decides),
    }
    plain: dict[str, Any] = readable(facts)
    return plain


def _head(found: SweepStatus, times: Timeline, *, is_running: bool) -> dict[str, Any]:
    plan = found.plan
    search, space = plan.search or {}, plan.space or {}
    mode = search.get("mode") or space.get("mode")
    return {
        "sweep": plan.sweep,
        "state": str(found.state),
        "was_killed": found.was_killed,
        "created_at": plan.created_at,
        "ended_at": None if is_running else times.ended_at,
        "command": _command(plan.command),
        "folder": str(shown(found.folder.absolute())),
        "mode": None if mode is None else str(mode),
        "schedule": None if search.get("schedule") in (None, "none") else str(search["schedule"]),
        "n_trials": search.get("n_trials") if search else plan.total,
        "max_epochs": search.get("max_epochs"),
    }


def _command(words: Sequence[str]) -> str:
    """Return a command as one types it: the interpreter by its name alone."""
    if not words:
        return ""
    first = Path(words[0]).name
    known = ["python" if first.startswith("python") else words[0], *words[1:]]
    return shlex.join(masked_command(known))


def _repeat(found: SweepStatus) -> dict[str, Any]:
    """Return how to run the sweep again, and how to go on with it if it was interrupted."""
    is_open = found.state is SweepState.INTERRUPTED
    return {
        "command": _command(found.plan.command) or None,
        "resume": resume_hint(found.folder.absolute()) if is_open else None,
    }


def _best_so_far(found: SweepStatus, times: Timeline) -> dict[str, list[Any]]:
    """Return the moments at which the best value changed, the first and the last one, a column per property."""
    columns: dict[str, list[Any]] = {name: [] for name in ("jobs", "epochs", "seconds", "value", "job")}
    known = best_so_far(found.board, found.history.reached)
    for index, each in enumerate(known):
        is_new = index == 0 or known[index - 1].value != each.value or known[index - 1].job != each.job
        if is_new or index == len(known) - 1:
            seconds = times.seconds(each.at)
            columns["jobs"].append(each.jobs)
            columns["epochs"].append(each.epochs)
            columns["seconds"].append(None if seconds is None else round(seconds, 3))
            columns["value"].append(each.value)
            columns["job"].append(each.job)
    return columns


def _search(found: SweepStatus) -> dict[str, Any] | None:
    """Return what a search has come to, but for the importance of keys."""
    if found.plan.search is None:
        return None
    known = beliefs(found.board, found.jobs, found.history.reached, found.plan.search, decides=NOT_ASKED)
    plain = known.as_plain()
    del plain["importance"]
    settings = {
        name: found.plan.search.get(name)
        for name in ("budget_epochs", "budget_s", "min_epochs", "max_epochs", "eta", "resumes", "space")
    }
    return {**plain, **masked(settings), "is_over": found.history.is_over}


def _promotion(folder: Path, warnings: list[str]) -> dict[str, Any] | None:
    with _told(warnings):
        return decided(folder)
    return None


def _champion(
    found: SweepStatus, promotion: Mapping[str, Any] | None, warnings: list[str]
) -> dict[str, Any] | None:
    """Return the champion of the model that the sweep was to improve, and whether one of its runs is it."""
    if promotion is None:
        return None
    with _told(warnings):
        name = str(promotion["model_name"])
        champion = ModelRegistry(found.folder.parent.parent).champion(name)
        if champion is not None:
            runs = {row.run for row in found.board.rows if row.run is not None and not row.reused}
            return {
                "model": name,
                "version": champion.version,
                "run": champion.run_id,
                "is_of_this_sweep": champion.origin is None and champion.run_id in runs,
            }
    return None


def _verdict(
    found: SweepStatus, promotion: Mapping[str, Any] | None, warnings: list[str]
) -> dict[str, Any] | None:
    """Return the verdict on the winner as the registry keeps it; None where it is gone, or is on another run."""
    number = None if promotion is None else promotion.get("version")
    if promotion is None or type(number) is not int:
        return None
    with _told(warnings):
        try:
            name, registry = str(promotion["model_name"]), ModelRegistry(found.folder.parent.parent)
            verdict = registry.verdict(name, number)
        except UnknownModelError:  # the version was removed since
            return None
        if verdict is not None and verdict.challenger.get("run_id") in (None, promotion.get("run")):
            return whole_of(verdict, number)
    return None


@contextlib.contextmanager
def _told(warnings: list[str]) -> Iterator[None]:
    """Add an error of the store to the warnings, so that the rest of the sweep is shown."""
    try:
        yield
    except (TrackingError, OSError) as error:
        warnings.append(f"left out: {error}")
