"""The commands that tell what sweeps there are, and what is to be known of one."""

import statistics
from pathlib import Path
from typing import Any

from sweeps.cli.options import DEFAULT_STORE, JsonOption, StoreOption, SweepArgument
from sweeps.cli.saying import say, say_json, say_table, warn
from sweeps.display.tables import Column, number, parameter, used
from sweeps.errors import SweepError
from sweeps.jobs import JobState, JobStatus
from sweeps.paths import find_sweep, sweep_folders
from sweeps.ranking.status import SweepState, SweepStatus, state_of, sweep_status
from sweeps.state.ledger import read_sweep
from sweeps.state.lock import parent_of
from sweeps.state.resume import resume_hint, stands
from tracking import TrackingError
from tracking.files import read_json
from tracking.values.jsontext import encode
from tracking.values.units import counted, format_clock

VALUES = 8  # of a swept key that are shown
STATE_STYLES = {"running": "cyan", "interrupted": "yellow", "finished": "green"}


def list_sweeps(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> int:
    """List all sweeps, newest last.

    One that is damaged is named on stderr, and the exit code is 1.

    Example: python -m sweeps list
    """
    if not store.is_dir() and store != DEFAULT_STORE:
        raise SweepError(f"there is no store {store}; --store names the folder that holds runs/ and sweeps/")
    found, code = [], 0
    for folder in sweep_folders(store):
        try:
            found.append(_summary(folder))
        except (TrackingError, KeyError, TypeError, ValueError) as error:
            warn(f"left out: {folder.name}: {error}")
            code = 1
    if as_json:
        say_json(found)
    elif not found:
        say(f"No sweeps in {store} yet; run one with: python -m trainer -m KEY=A,B")
    else:
        states = [each["state"] for each in found]
        say_table(
            [
                Column("sweep", [each["sweep"] for each in found], left=True),
                Column(
                    "state", states, drop=3, left=True, styles=[STATE_STYLES.get(each, "") for each in states]
                ),
                Column("completed", [f"{each['completed']}/{each['jobs']}" for each in found]),
                Column("metric", [each["metric"] or "-" for each in found], left=True, drop=2),
                Column("best", [number(each["best"]) for each in found]),
                Column("run", [each["run"] or "-" for each in found], left=True, drop=1),
            ]
        )
    return code


def show(
    sweep: SweepArgument = "latest", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Show what a sweep tried, how it stands, how long it took, and where its files lie.

    Example: python -m sweeps show latest
    """
    found = sweep_status(find_sweep(store, sweep))
    described = _described(found)
    if as_json:
        say_json(described)
        return
    say(f"Sweep {found.plan.sweep}: {found.state}", "bold")
    for label, text in _facts(found, described):
        say(f"{label:<11}{text}")


def _summary(folder: Path) -> dict[str, Any]:
    """What the list shows, from the plan, the ledger and the leaderboard as written; no run is read."""
    plan, history = read_sweep(folder)
    board = read_json(folder / "leaderboard.json") if (folder / "leaderboard.json").exists() else None
    winner = next((row for row in board["rows"] if row["rank"] == 1), None) if board else None
    return {
        "sweep": folder.name,
        "state": str(state_of(plan, history, is_running=parent_of(folder) is not None)),
        "created_at": plan.created_at,
        "jobs": len(history.jobs),
        "completed": sum(each.status is JobStatus.COMPLETED for each in history.outcomes.values()),
        "metric": plan.objective["metric"],
        "best": winner["objective"] if winner else None,
        "run": winner["run"] if winner else None,
    }


def _described(found: SweepStatus) -> dict[str, Any]:
    plan, board, winner = found.plan, found.board, found.board.winner
    took = {job.row.job: job.row.duration_s for job in found.jobs if job.state is JobState.COMPLETED}
    known = [seconds for seconds in took.values() if seconds is not None]
    decision = found.folder / "promotion.json"
    return {
        "sweep": plan.sweep,
        "state": str(found.state),
        "created_at": plan.created_at,
        "command": list(plan.command),
        "swept": {key: _values(found, key) for key in plan.swept},
        "objective": dict(plan.objective),
        "seed_key": plan.seed_key,
        "jobs": len(found.jobs),
        "counts": found.counts,
        "best": None
        if winner is None
        else {"job": winner.job, "run": winner.run, "objective": winner.objective},
        "durations_s": {"median": statistics.median(known), "min": min(known), "max": max(known)}
        if known
        else None,
        "usage": None if board.usage is None else vars(board.usage),
        "promotion": read_json(decision) if decision.exists() else None,
        "dir": str(found.folder),
    }


def _values(found: SweepStatus, key: str) -> list[Any]:
    """The different values that a swept key takes, in the order of the jobs."""
    values = [job.row.point[key] for job in found.jobs if key in job.row.point]
    return list({encode(value): value for value in values}.values())


def _facts(found: SweepStatus, described: dict[str, Any]) -> list[tuple[str, str]]:
    objective, best, took = found.board.objective, described["best"], described["durations_s"]
    repeats = f"; jobs that differ in {found.plan.seed_key} alone are one" if found.plan.seed_key else ""
    counts = ", ".join(f"{count} {state}" for state, count in described["counts"].items())
    facts = [("swept", f"{key}: {_listed(values)}") for key, values in described["swept"].items()]
    facts.append(("ranked by", f"the {objective.at} {objective.label} ({objective.mode}){repeats}"))
    facts.append(("jobs", f"{len(found.jobs)}: {counts}"))
    if best is not None:
        facts.append(("best", f"{number(best['objective'])}, job {best['job']} ({best['run'] or 'no run'})"))
    facts.append(("began", found.plan.created_at))
    if found.board.usage is not None:
        facts.append(("took", used(found.board)))
    if took is not None:
        spread = f"median {format_clock(took['median'])}, {format_clock(took['min'])} to {format_clock(took['max'])}"
        facts.append(("jobs took", spread))
    promotion = described["promotion"]
    if promotion is not None:
        said = "promoted" if promotion["promoted"] else "not promoted"
        facts.append(("promotion", f"{promotion['model_name']}: {said}: {'; '.join(promotion['reasons'])}"))
    facts.append(("command", " ".join(found.plan.command)))
    facts.append(("files", str(found.folder)))
    if found.state is SweepState.INTERRUPTED:
        left = [job for job in found.jobs if job.outcome is None or not stands(job.outcome)]
        hint = resume_hint(found.folder.absolute())
        facts.append(("go on", f"{hint}  ({counted(len(left), 'job')} to run)"))
    return facts


def _listed(values: list[Any]) -> str:
    texts = [parameter(value) for value in values[:VALUES]]
    return ", ".join([*texts, f"... ({len(values)} values)"] if len(values) > VALUES else texts)
