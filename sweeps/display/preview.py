"""What a sweep would do: its jobs, and how long they may take going by runs that are known."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from sweeps.display.console import make_console
from sweeps.display.tables import Column, fitting_table, swept_columns
from sweeps.jobs import PlannedJob
from sweeps.state.durations import Durations
from tracking.values.jsontext import encode
from tracking.values.units import counted, format_clock

SHOWN = 50  # jobs in the preview; a script asks for --json or reads plan.json


def show_plan(
    console: Console,
    jobs: Sequence[PlannedJob],
    swept: Sequence[str],
    n_jobs: int,
    durations: Durations,
    notes: Sequence[str] = (),
) -> None:
    """Print the jobs, how many they are, and how long they may take."""
    shown = jobs[:SHOWN]
    columns = [
        Column("job", [str(job.number) for job in shown]),
        *swept_columns(swept, [job.point for job in shown]),
        Column("expected", [format_clock(durations.expected_s(job.key)) for job in shown], drop=2),
    ]
    table, dropped = fitting_table(columns, console.width)
    console.print(table)
    if dropped:
        console.print(f"no room for: {', '.join(dropped)}", style="dim", soft_wrap=True)
    if len(jobs) > len(shown):
        console.print(f"... and {len(jobs) - len(shown)} more", style="dim")
    for note in notes:
        console.print(note, style="yellow", markup=False, soft_wrap=True)
    console.print(
        f"{counted(len(jobs), 'job')}, {min(n_jobs, len(jobs))} at once; {_estimate(jobs, n_jobs, durations)}"
    )
    console.print("dry_run: nothing was started", style="dim")


def tell_plan(
    write: Callable[[bytes], None] | None,
    jobs: Sequence[PlannedJob],
    swept: Sequence[str],
    n_jobs: int,
    store: Path,
    notes: Sequence[str] = (),
) -> None:
    """Print the jobs, or `write` them as one JSON line."""
    durations = Durations.of_store(store)
    if write is None:
        show_plan(make_console(), jobs, swept, n_jobs, durations, notes)
        return
    described = [{**job.to_json(), "expected_s": durations.expected_s(job.key)} for job in jobs]
    write(encode({"event": "plan", "jobs": described, "slots": n_jobs, "notes": list(notes)}) + b"\n")


def _estimate(jobs: Sequence[PlannedJob], n_jobs: int, durations: Durations) -> str:
    expected = [durations.expected_s(job.key) for job in jobs]
    known = [seconds for seconds in expected if seconds is not None]
    if not known:
        return "how long they take is not known yet: no sweep of this store has completed a job"
    total = max(sum(known) / n_jobs, max(known))
    return f"about {format_clock(total)}, going by {counted(len(durations), 'earlier job')}"
