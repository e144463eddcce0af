"""The leaderboard of a sweep, and why jobs failed, as text."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from sweeps.jobs import JobState
from sweeps.paths import job_folder, shown_run
from sweeps.ranking.leaderboard import Leaderboard, Row, named_jobs
from sweeps.ranking.table_text import told_apart
from sweeps.warned import Warned, kind_of
from tracking.cli.toolkit.fitting import Column
from tracking.cli.toolkit.output import one_line, say, show
from tracking.cli.toolkit.tables import say_table
from tracking.objective import Objective
from tracking.process.program import command
from tracking.values.secrets import masked
from tracking.values.units import counted, format_clock

OUR_COLUMNS = {
    "rank",
    "run",
    "best run",
    "note",
    "job",
    "n",
    "step",
    "attempt",
    "epochs",
    "time",
    "expected",
    "status",
    "state",
}


def short_names(keys: Sequence[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Map config keys to the shortest last part that no other key ends in, and that is no column of ours or `taken`; a whole key
    that is one is written as `params.status`.

    `model.encoder.depth` and `model.decoder.depth` are `encoder.depth` and `decoder.depth`.
    """
    ends = {key: _ends(key) for key in keys}
    count = Counter(end for each in ends.values() for end in each)
    avoid = {*OUR_COLUMNS, *taken}
    return {
        key: next(
            (end for end in each if count[end] == 1 and end not in avoid),
            _apart(key, avoid, keys),
        )
        for key, each in ends.items()
    }


def _apart(key: str, avoid: Collection[str], keys: Sequence[str]) -> str:
    """Return a key as a filter writes it if it is the name of another column."""
    name = key
    while name in avoid or (name != key and name in keys):
        name = f"params.{name}"
    return name


def _ends(key: str) -> list[str]:
    """Return the ends of a key from its last part to the whole; a number alone, as in `layers.0`, is no part."""
    starts = [match.end() for match in re.finditer(r"[./](?!\d+(?:[./]|$))", key)]
    return [key[start:] for start in reversed(starts) if key[start:]] + [key]


def parameter(value: object) -> str:
    """Return a swept value as an override writes it, floats with six digits."""
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value)


def swept_columns(
    keys: Sequence[str], points: Sequence[Mapping[str, object]], taken: Iterable[str] = ()
) -> list[Column]:
    """Return a column per swept key that a point has, under its short name; a narrow terminal leaves them out last.

    Secrets are masked.
    """
    names = short_names(keys, taken)
    points = [masked(dict(point)) for point in points]
    used = [key for key in keys if any(key in point for point in points)]
    return [Column(names[key], _parameters(key, points), drop=1, keeps=True) for key in used]


def _parameters(key: str, points: Sequence[Mapping[str, object]]) -> list[str]:
    texts = iter(told_apart([point[key] for point in points if key in point], parameter))
    return [next(texts) if key in point else "-" for point in points]


def objective_column(objective: Objective, cells: Sequence[str], *, tells_mode: bool = False) -> Column:
    """Return the column of the objective, which a narrow terminal keeps too."""
    name = f"{objective.label} ({objective.mode})" if tells_mode else objective.label
    return Column(name, cells, brief=objective.label)


def show_leaderboard(
    board: Leaderboard, sweep_dir: Path, *, most: int | None = None, file: IO[str] | None = None
) -> None:
    """Print the leaderboard, then why jobs have no rank: each reason once, with its jobs and the first one's log.

    Print at most `most` rows; to stdout or `file`. Secrets are masked.
    """
    board = board.masked
    say(file=file)
    say(f"Leaderboard of sweep {one_line(board.sweep)}, by {board.named_objectives}", "italic", file=file)
    shown = (board.candidates or board.rows)[:most]
    say_table(
        _candidate_columns(board, most) if board.candidates else _row_columns(board, board.rows[:most]),
        row_styles=["bold" if each.rank == 1 else "dim" if each.rank is None else "" for each in shown],
        hint=f"all columns: {sweep_dir / 'leaderboard.csv'}",
        file=file,
    )
    left_out = len(board.candidates or board.rows) - len(shown)
    if left_out:
        say(
            f"... and {left_out} more: {command(f'leaderboard {one_line(board.sweep)}', 'sweeps')}",
            "dim",
            file=file,
        )
    if board.usage is not None:
        say(used(board), "dim", file=file)
    for note in board.notes:
        say(one_line(note), "dim", file=file)
    for note in board.code_notes:
        say(one_line(note), "yellow", file=file)
    reasons: dict[tuple[str, str], list[Row]] = {}
    for row in board.rows:
        if row.error is not None:
            reasons.setdefault((row.status, row.error), []).append(row)
        elif row.note is not None:  # notes that differ in seconds alone are one
            reasons.setdefault((row.status, kind_of("note", row.note)), []).append(row)
    for (status, _), rows in reasons.items():
        why = str(rows[0].error or rows[0].note)
        is_mild = status == JobState.CANCELLED or rows[0].error is None or not rows[0].is_feasible
        jobs = named_jobs([row.job for row in rows])
        say(f"{jobs} {status}: {one_line(why)}", "yellow" if is_mild else "red", file=file)
        log = job_folder(sweep_dir, rows[0].job) / "output.log"
        if log.exists() and rows[0].is_feasible:
            say(f"    log: {log}", file=file)


def show_warnings(
    warned: Warned, sweep_dir: Path, *, most: int | None = None, file: IO[str] | None = None
) -> None:
    """Print each kind of warning with the number of its jobs, `most` letters of its text, and where the logs are."""
    if not warned.kinds:
        return
    logs = job_folder(sweep_dir, 0).parent / "JOB" / "output.log"
    say(f"warnings of jobs, in {logs}:", "yellow", file=file)
    for kind in warned.kinds:
        text = one_line(kind.said)
        cut = text if most is None or len(text) <= most else f"{text[:most]}..."
        jobs = f"job {kind.job}" if len(kind.jobs) == 1 else f"{len(kind.jobs):,} jobs, first job {kind.job}"
        say(f"  {jobs}: {cut}", "yellow", file=file)
    if warned.further:
        say(f"  and {counted(warned.further, 'further warning')}", "yellow", file=file)


def _row_columns(board: Leaderboard, rows: Sequence[Row]) -> list[Column]:
    epochs = (
        [Column("epochs", [show(row.epochs) for row in rows], drop=6)] if any(r.epochs for r in rows) else []
    )
    return [
        Column("rank", [show(row.rank) for row in rows]),
        Column(
            "run", [shown_run(row.run) if row.run else f"job {row.job}" for row in rows], drop=2, left=True
        ),
        *swept_columns(board.swept, [row.point for row in rows], _metrics(board)),
        objective_column(board.objective, [show(row.objective) for row in rows], tells_mode=True),
        *(
            objective_column(each, [show(row.others.get(each.label)) for row in rows], tells_mode=True)
            for each in board.others
        ),
        *(Column(name, [show(row.metrics.get(name)) for row in rows], drop=4) for name in board.report),
        *epochs,
        Column("time", [format_clock(row.duration_s) for row in rows], drop=5),
        Column("status", [row.how for row in rows], drop=3, left=True),
    ]


def _candidate_columns(board: Leaderboard, most: int | None) -> list[Column]:
    each = board.candidates[:most]
    best = board.best_rows[:most]
    keys = [key for key in board.swept if key not in board.repeats]
    means = [_spread(one.objective, one.std) for one in each]
    return [
        Column("rank", [show(one.rank) for one in each]),
        *swept_columns(keys, [one.point for one in each], _metrics(board)),
        objective_column(board.objective, means, tells_mode=True),
        *(
            objective_column(
                other,
                [_spread(one.others.get(other.label), one.others_std.get(other.label)) for one in each],
                tells_mode=True,
            )
            for other in board.others
        ),
        Column("n", [str(one.n) for one in each], drop=3),
        *(
            Column(name, [_spread(one.metrics.get(name), one.metrics_std.get(name)) for one in each], drop=4)
            for name in board.report
        ),
        Column(
            "best run",
            [shown_run(row.run or "-") if row.rank else "-" for row in best],
            drop=2,
            left=True,
        ),
        *(_early_columns(best) if board.count(JobState.PRUNED) else []),
        *(
            [Column("note", [one.note or "-" for one in each], left=True)]
            if any(o.note for o in each)
            else []
        ),
    ]


def _early_columns(best: Sequence[Row]) -> list[Column]:
    """Return how far the best job of each candidate came, of a sweep that stops jobs early."""
    return [
        Column("epochs", [show(row.epochs) for row in best], drop=6),
        Column("status", [row.how for row in best], drop=3, left=True),
    ]


def _metrics(board: Leaderboard) -> list[str]:
    return [*board.labels, *board.report]


def _spread(mean: float | None, std: float | None) -> str:
    return show(mean) if std is None else f"{show(mean)} ± {show(std)}"


def used(board: Leaderboard) -> str:
    """Return how well the slots were used: `60 jobs in 2:05, 2 at once, slots busy 97% of the time`."""
    usage = board.usage
    if usage is None:
        return counted(len(board.rows), "job")
    ran = sum(row.status != JobState.CANCELLED and row.duration_s is not None for row in board.rows)
    jobs = counted(len(board.rows), "job")
    took = f"{jobs if ran == len(board.rows) else f'{ran} of {jobs}'} in {format_clock(usage.wall_s)}"
    return f"{took}, {usage.slots} at once, slots busy {usage.utilisation:.0%} of the time"
