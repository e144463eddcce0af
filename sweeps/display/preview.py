"""What a sweep would do: its jobs, and how long they may take, estimated from earlier runs."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sweeps.display.tables import swept_columns
from sweeps.jobs import PlannedJob
from sweeps.state.durations import Durations
from tracking.cli.toolkit.fitting import Column
from tracking.cli.toolkit.output import printable, say
from tracking.cli.toolkit.streams import lasting
from tracking.cli.toolkit.tables import say_table
from tracking.values.jsontext import encode
from tracking.values.units import counted, format_clock

SHOWN = 50  # jobs in the preview; a script asks for JSON or reads plan.json


def tell_plan(
    write: Callable[[bytes], None] | None,
    jobs: Sequence[PlannedJob],
    swept: Sequence[str],
    n_jobs: int,
    store: Path,
    notes: Sequence[str] = (),
    *,
    outlook: str | None = None,
) -> None:
    """Print the jobs, their number, and how long they may take, or `write` them as one JSON line.

    Of a search these are the first ones, and `outlook` says how it goes on.
    """
    durations = Durations.of_store(store)
    expected = [durations.expected_s(job.key) for job in jobs]
    if write is not None:
        described = [
            {**job.to_json(), **job.shown(), "expected_s": seconds}
            for job, seconds in zip(jobs, expected, strict=True)
        ]
        plan = {"event": "plan", "jobs": described, "slots": n_jobs, "notes": list(notes)}
        plan |= {} if outlook is None else {"search": outlook}
        write(printable(encode(plan)) + b"\n")
        return
    out, shown = lasting(sys.stdout), jobs[:SHOWN]
    columns = [
        Column("job", [str(job.number) for job in shown]),
        *swept_columns(swept, [job.point for job in shown]),
        Column("expected", list(map(format_clock, expected[:SHOWN])), drop=2),
    ]
    say_table(columns, hint="output=json shows all columns", file=out)
    if len(jobs) > len(shown):
        say(f"... and {len(jobs) - len(shown)} more", "dim", file=out)
    for note in notes:
        say(note, "yellow", file=out)
    if outlook is None:
        estimate = _estimate(expected, n_jobs, len(durations.known_s))
        say(f"{counted(len(jobs), 'job')}, {min(n_jobs, len(jobs))} at once; {estimate}", file=out)
    else:
        say(f"{outlook}; {n_jobs} at once", file=out)
    say("dry_run: nothing was started", "dim", file=out)
    out.flush()


def _estimate(expected: Sequence[float | None], n_jobs: int, earlier: int) -> str:
    known = [seconds for seconds in expected if seconds is not None]
    if not known:
        return "how long they take is not known yet: no sweep of this store has completed a job"
    total = max(sum(known) / n_jobs, max(known))
    return f"about {format_clock(total)}, estimated from {counted(earlier, 'earlier job')}"
