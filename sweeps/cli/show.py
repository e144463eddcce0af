"""Commands that show sweeps: list, show, leaderboard, aggregate."""

import statistics
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweeps.cli.app import SweepArgument
from sweeps.cli.show_search import of_search, search_facts
from sweeps.display.tables import parameter, short_names, show_leaderboard, used
from sweeps.errors import SweepError
from sweeps.jobs import JobState, JobStatus
from sweeps.paths import find_sweep, shown_run, sweep_folders
from sweeps.plan.plan import Plan
from sweeps.ranking.aggregate import aggregate as aggregate_sweep
from sweeps.ranking.beliefs import Beliefs
from sweeps.ranking.leaderboard import Leaderboard, Row, as_plain
from sweeps.ranking.promotion import decided
from sweeps.ranking.status import SweepState, SweepStatus, state_of, sweep_status
from sweeps.ranking.table_text import told_apart
from sweeps.state.ledger import SweepHistory, read_sweep
from sweeps.state.lock import parent_of
from sweeps.state.resume import resume_hint, stands
from tracking import TrackingError
from tracking.cli.toolkit import tables
from tracking.cli.toolkit.fitting import cut
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.cli.toolkit.output import LEFT_OUT, ellipsis, one_line, say, say_json, terminal_width, warn
from tracking.cli.toolkit.output import show as cell
from tracking.files import read_json
from tracking.values.jsontext import encode
from tracking.values.secrets import masked, masked_command
from tracking.values.units import counted, format_clock

VALUES = 8  # of a swept key that are shown
LABEL = 11  # the width of a label
RANKED_ENDS = frozenset({JobStatus.COMPLETED, JobStatus.PRUNED})
UNBROKEN = "\0"  # stands for a space at which no line is broken; no text that is shown has one


def list_sweeps(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List all sweeps, newest last.

    A damaged sweep is named on stderr, and the exit code is 1.

    Example: python -m sweeps list
    """
    found = []
    for folder in sweep_folders(Path(store)):
        try:
            found.append(_summary(folder))
        except (
            SweepError,
            TrackingError,
            KeyError,
            TypeError,
            ValueError,
        ) as error:  # the other sweeps are listed
            warn(f"{LEFT_OUT}{folder.name}: {error}")
    if as_json:
        say_json(found)
    elif not found:
        say(f"No sweeps in {store} yet; start one with -m on the command line of an app: -m KEY=A,B")
    else:
        rows = [{**each, "done": f"{each['completed'] + each['pruned']}/{each['jobs']}"} for each in found]
        columns = ("sweep", "state", "done", "best", "metric", "run")
        tables.say_rows(columns, [[row[name] for name in columns] for row in rows])


def show(
    sweep: SweepArgument = "latest", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Show what a sweep tried, its state, how long it took, and where its files are; of a search also what it has learned.

    Example: python -m sweeps show latest
    """
    found = sweep_status(find_sweep(Path(store), sweep))
    known = of_search(found)
    described = _described(found, known)
    if as_json:
        say_json(described)
        return
    say(one_line(f"Sweep {found.plan.sweep}: {found.state}"), "bold")
    space = None if found.plan.search is None else masked(found.plan.search.get("space"))
    for line in _swept({key: [text] for key, text in space.items()} if space else described["swept"]):
        say(line)
    for label, text in _facts(found, described, known):
        if text:
            say(f"{label:<{LABEL}}{one_line(text)}")


def leaderboard(
    sweep: SweepArgument = "latest", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Show the leaderboard of a sweep as it is now, finished or not.

    Example: python -m sweeps leaderboard latest
    """
    folder = find_sweep(Path(store), sweep)
    try:
        is_running = parent_of(folder) is not None
    except SweepError:  # a leaderboard can be read whatever lies in the place of the lock
        is_running = False
    found = sweep_status(folder, is_running=is_running)
    now = {job.job: job.status for job in found.jobs}
    rows = tuple(_now(row, now[row.job]) for row in found.board.rows)
    _say_leaderboard(replace(found.board, rows=rows), folder, as_json=as_json)


def _now(row: Row, status: JobState) -> Row:
    """Return a row without a rank as its job stands now: one that runs or waits has not failed, whatever it did before."""
    is_left = row.rank is None and status in {JobState.RUNNING, JobState.QUEUED}
    return replace(row, status=status, error=None) if is_left else row


def aggregate(
    sweep: SweepArgument = "latest", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Rank a sweep again and write leaderboard.json, .csv and .md; safe to repeat.

    Example: python -m sweeps aggregate 20260131-093000
    """
    folder = find_sweep(Path(store), sweep)
    _say_leaderboard(aggregate_sweep(folder), folder, as_json=as_json)
    if not as_json:
        say(f"Wrote {folder / 'leaderboard.json'}, .csv and .md")


def _say_leaderboard(board: Leaderboard, folder: Path, *, as_json: bool) -> None:
    say_json(as_plain(board)) if as_json else show_leaderboard(board, folder)


def _summary(folder: Path) -> dict[str, Any]:
    """Return what the list shows, from the plan, the ledger and the leaderboard on disk; read no run."""
    # The leaderboard of a running sweep may be missing; ranking anew would read every run of every sweep.
    plan, history = read_sweep(folder)
    board = read_json(folder / "leaderboard.json") if (folder / "leaderboard.json").exists() else None
    winner = (
        next((row for row in board["rows"] if row["rank"] == 1), None) if board else _told_best(plan, history)
    )
    ended = Counter(each.status for each in history.outcomes.values())
    return {
        "sweep": folder.name,
        "state": state_of(plan, history, is_running=parent_of(folder) is not None),
        "created_at": plan.created_at,
        "jobs": len(history.jobs),
        "completed": ended[JobStatus.COMPLETED],
        "pruned": ended[JobStatus.PRUNED],
        "metric": plan.objective["metric"],
        "best": winner["objective"] if winner else None,
        "run": winner["run"] if winner else None,
    }


def _told_best(plan: Plan, history: SweepHistory) -> dict[str, Any] | None:
    """Return the best that the ledger of a search tells of jobs that have ended; None without a search or such a job."""
    objective, best, run = plan.objectives[0], None, None
    for each in history.reached:
        outcome = history.outcomes.get(each.job)
        if not each.is_end or outcome is None or outcome.status not in RANKED_ENDS:
            continue
        is_known = bool(each.values) and None not in each.values
        keeps_bounds = all(broken <= 0 for broken in each.violations.values())
        if is_known and keeps_bounds and (best is None or objective.better(each.values[0], best)):
            best, run = each.values[0], outcome.runs[-1] if outcome.runs else None
    return None if best is None else {"objective": best, "run": run}


def _described(found: SweepStatus, known: Beliefs | None) -> dict[str, Any]:
    plan, board, winner = found.plan, found.board, found.board.winner
    completed = [job.duration_s for job in found.jobs if job.status is JobState.COMPLETED]
    took = [seconds for seconds in completed if seconds is not None]
    return {
        "sweep": plan.sweep,
        "state": found.state,
        "created_at": plan.created_at,
        "command": masked_command(plan.command),
        "swept": {key: _values(found, key) for key in plan.swept},
        "objective": plan.objective,
        "seed_key": plan.seed_key,
        "repeats": plan.repeats,
        "jobs": len(found.jobs),
        "counts": found.counts,
        "best": winner and {"job": winner.job, "run": winner.run, "objective": winner.objective},
        "durations_s": {"median": statistics.median(took), "min": min(took), "max": max(took)}
        if took
        else None,
        "search": known and {**known.as_plain(), "over": found.history.ending or None},
        "usage": board.usage,
        "changed_code": {job.job: job.code for job in found.jobs if job.code},
        "promotion": _promotion(found.folder),
        "dir": found.folder,
    }


def _promotion(folder: Path) -> dict[str, Any] | None:
    try:
        return decided(folder)
    except TrackingError as error:  # the rest of the sweep is shown
        warn(f"{LEFT_OUT}{error}")
        return None


def _values(found: SweepStatus, key: str) -> list[Any]:
    """Return the different values of a swept key, in the order of the jobs."""
    values = [masked({key: job.point[key]})[key] for job in found.jobs if key in job.point]
    return list({encode(value): value for value in values}.values())  # a list has no hash


def _facts(
    found: SweepStatus, described: dict[str, Any], known: Beliefs | None
) -> list[tuple[str, str | None]]:
    """Return the facts about a sweep with their labels, None for those that are unknown."""
    best, took, promotion = described["best"], described["durations_s"], described["promotion"]
    keys = " and ".join(found.plan.repeats)
    groups = keys and (known is None or found.board.candidates)  # a search repeats its best in the end
    repeats = f"; jobs that differ only in {keys} are one candidate" if groups else ""
    counts = ", ".join(f"{count} {state}" for state, count in described["counts"].items())
    clock = {name: format_clock(seconds) for name, seconds in (took or {}).items()}
    verdict = promotion and ("promoted" if promotion["promoted"] else "not promoted")
    wanted = [job for number, job in found.history.jobs.items() if number not in found.plan.left]
    left = [job for job in wanted if job.outcome is None or not stands(job.outcome)]
    to_run = f"{counted(len(left), 'job')} to run" if left or known is None else "its search is not over"
    resume = f"{resume_hint(found.folder.absolute())}  ({to_run})"
    return [
        ("ranked by", f"{_ranked_by(found)}{repeats}"),
        ("jobs", f"{len(found.jobs)}: {counts}"),
        (
            "best",
            best
            and f"{cell(best['objective'])}, job {best['job']} ({shown_run(best['run'] or 'no run')}){_mean(found)}",
        ),
        *([] if known is None else search_facts(known, found)),
        ("started", found.plan.created_at),
        ("took", _took(found)),
        ("jobs took", took and f"median {clock['median']}, {clock['min']} to {clock['max']}"),
        (
            "promotion",
            promotion and f"{promotion['model_name']}: {verdict}: {'; '.join(promotion['reasons'])}",
        ),
        *(("code", note) for note in found.board.code_notes),
        ("command", " ".join(described["command"])),
        ("files", str(found.folder)),
        ("resume", resume if found.state is SweepState.INTERRUPTED else None),
    ]


def _took(found: SweepStatus) -> str | None:
    """Return how long a sweep took and how well it used its slots; None if its ledger does not tell."""
    if found.board.usage is None:
        return None
    killed = "; it was killed, and its time ends with the last that its runs logged"
    return used(found.board) + (killed if found.was_killed else "")


def _mean(found: SweepStatus) -> str:
    """Return the mean that the winner was chosen by, where it is one."""
    first = next(iter(found.board.candidates), None)
    return f"; its {first.n} repeats have the mean {cell(first.objective)}" if first and first.n > 1 else ""


def _ranked_by(found: SweepStatus) -> str:
    by = " and ".join(f"the {each.at} {each.label} ({each.mode})" for each in found.board.objectives)
    return by + "".join(f"; only what keeps {text} has a rank" for text in found.plan.constraints)


def _swept(swept: dict[str, list[Any]]) -> Iterator[str]:
    """Yield a line per swept key: the key and its values, fitted to a terminal, whole in a pipe."""
    width = terminal_width(sys.stdout)
    names, mark = short_names(list(swept)), ellipsis(sys.stdout.encoding)
    for key, values in swept.items():
        texts = [one_line(text) for text in told_apart(values[:VALUES], parameter)]
        name = one_line(key)
        if width is not None:
            room = max(width - LABEL, LABEL)
            texts = [text.replace(" ", UNBROKEN) for text in cut(texts, max(room // 2, LABEL), mark)]
            name = name if len(name) <= room // 2 else cut([one_line(names[key])], room, mark)[0]
        texts += [f"... ({len(values)} values)"] if len(values) > VALUES else []
        line = f"{'swept':<{LABEL}}{name}: {', '.join(texts)}"
        if width is None:
            yield line
        else:
            yield textwrap.fill(line, width, subsequent_indent=" " * LABEL, break_on_hyphens=False).replace(
                UNBROKEN, " "
            )
