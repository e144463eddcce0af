"""The command that watches an experiment, in a table that is redrawn: watch."""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import typer

from tracking.cli.alerts import NotifyOption, Rows, watching
from tracking.cli.columns import (
    ColumnsOption,
    ExperimentArgument,
    chosen,
    labels,
    not_shown,
    shown,
    usual,
)
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import InvalidValueError
from tracking.records import RunStatus
from tracking.search.catalog import Catalog
from tracking.search.query import Field, FieldKind, MetricPart, parse_field
from tracking.store.amend import last_sign_of_life
from tracking.store.store import Store
from tracking.values import timestamps
from tracking.values.names import WITHOUT_RANK
from tracking.values.units import format_clock

RUN_ID, STATUS, CREATED, DURATION = map(parse_field, ("run_id", "status", "created_at", "duration_s"))
SHORTEST_S = 0.1  # between two reads
ROOM = 6  # lines of the terminal that are not rows

ELAPSED = "elapsed_s"


class Look(NamedTuple):
    """The runs at one moment: a row of values per run, and the same as the cells of a table."""

    rows: list[dict[str, Any]]
    labels: list[str]
    cells: list[list[Any]]
    note: str
    unranked: Mapping[str, str]  # why runs have no rank, by their ids


def watch(
    experiment: ExperimentArgument,
    columns: ColumnsOption = None,
    interval_s: Annotated[
        float,
        typer.Option("--interval", metavar="SECONDS", min=SHORTEST_S, help="The time between two reads."),
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Show the runs once and exit.")] = False,
    store: StoreOption = DEFAULT_STORE,
    *,
    notify: NotifyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch the runs of an experiment.

    Running ones first, then the newest; until Ctrl-C. A terminal shows one table that is updated, a pipe gets a new
    table after each change. With --json each table is one line.

    With --notify, an alert tells when a run fails, when one completes with a better value than all before, and when
    all runs have ended.

    Example: python -m tracking watch ctr_model --interval 5
    """
    catalog = Catalog(Store(store))
    if notify and once:
        raise InvalidValueError("--notify is about what happens later, so it cannot go with --once")

    def looks(take: Callable[[Rows], None]) -> Iterator[Look]:
        while True:
            look = _look(catalog, experiment, columns, as_json=as_json)
            take(look.rows)
            yield look
            if once:
                return
            time.sleep(interval_s)

    with watching(catalog, experiment, notify) as take:
        if sys.stdout.isatty() and not as_json and not once:
            _draw(experiment, looks(take))
        else:
            _write(experiment, looks(take), as_json=as_json)


def _draw(experiment: str, looks: Iterator[Look]) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    try:
        with Live(auto_refresh=False, vertical_overflow="crop") as live:  # no thread draws between looks
            for look in looks:
                size = shutil.get_terminal_size()  # the window may have been resized
                most = max(1, size.lines - ROOM)
                parts: list[Any] = [Text(output.safe(_headline(experiment, look)), style="bold")]
                notes = [f"and {len(look.rows) - most} more" if len(look.rows) > most else "", look.note]
                if look.rows:
                    columns = tables.columns_of(look.labels, look.cells[:most], keep=2)
                    table, no_room = tables.fitting_table(columns, size.columns)
                    parts, notes = [*parts, table], [no_room, *notes]
                parts += [Text(output.safe(note), style="dim") for note in notes if note]
                live.update(Group(*parts), refresh=True)
    except KeyboardInterrupt:
        return  # ends the command


def _write(experiment: str, looks: Iterator[Look], *, as_json: bool) -> None:
    before: list[dict[str, Any]] | None = None
    for look in looks:
        # The elapsed time alone is no change that a pipe or a script waits for.
        steady = [row | {ELAPSED: None} for row in look.rows]
        if steady == before:
            continue
        before = steady
        if as_json:
            output.say_json_line({"experiment": experiment, "runs": look.rows})
        else:
            output.say(f"{datetime.now():%H:%M:%S} {_headline(experiment, look)}")
            if look.rows:
                tables.say_rows(look.labels, look.cells)
            if look.note:
                output.say(look.note)
            output.say()
        sys.stdout.flush()  # the next change may be far away


def _headline(experiment: str, look: Look) -> str:
    counts = Counter(look.unranked.get(row["run_id"], str(row["status"])) for row in look.rows)
    counts_text = ", ".join(
        f"{counts[each]} {each}" for each in (*RunStatus, *WITHOUT_RANK.values()) if counts[each]
    )
    return f"{experiment}: {counts_text or 'no runs yet'}"


def _look(catalog: Catalog, experiment: str, columns: str | None, *, as_json: bool) -> Look:
    names = catalog.names(experiment)
    fields = chosen(columns, names) if columns else usual(names, [], experiment, as_json=as_json)
    fields = [field for field in fields if field not in (RUN_ID, STATUS, CREATED, DURATION)]
    head = [RUN_ID, STATUS, *(Field(FieldKind.RUN, name) for name in (ELAPSED, "step"))]
    titles = labels([*head, *fields])[len(head) :]
    steps = [Field(FieldKind.METRIC, field.name, MetricPart.LAST_STEP) for field in fields if field.part]
    every = dict.fromkeys([RUN_ID, STATUS, CREATED, DURATION, *fields, *steps])
    _, values = catalog.columns(every, experiment_name=experiment)
    found = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    found.sort(key=lambda run: (run[STATUS] != RunStatus.RUNNING, -run[CREATED].timestamp()))
    unranked = catalog.without_rank()
    rows, cells = [], []
    for run in found:
        elapsed = _seconds(catalog.store, run)
        step = max((run[field] for field in steps if run[field] is not None), default=None)
        rows.append({"run_id": run[RUN_ID], "status": run[STATUS], ELAPSED: elapsed, "step": step})
        status = unranked.get(run[RUN_ID], run[STATUS])
        cells.append([run[RUN_ID], status, format_clock(elapsed), step])
        rows[-1].update((name, run[field]) for name, field in zip(titles, fields, strict=True))
        cells[-1] += [shown(field, run[field]) for field in fields]
    note = "" if columns or as_json else not_shown(names, fields)
    return Look(rows, ["run_id", "status", "elapsed", "step", *titles], cells, note, unranked)


def _seconds(store: Store, run: dict[Field, Any]) -> float | None:
    """Return how long a run has been running; for one whose process died, until its last write."""
    seconds: float | None = run[DURATION]
    if seconds is None:
        end = datetime.now().astimezone()
        if run[STATUS] != RunStatus.RUNNING:
            try:
                last = last_sign_of_life(store.paths.run(run[RUN_ID]), {"created_at": str(run[CREATED])})
            except OSError:
                return None  # it has just been deleted
            end = timestamps.parse(last)
        seconds = (end - run[CREATED]).total_seconds()
    return round(seconds, 3)
