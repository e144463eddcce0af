"""The command that watches an experiment, in a table that is redrawn: watch."""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Annotated, Any, NamedTuple

import typer

from tracking.cli.columns import (
    ColumnsOption,
    ExperimentArgument,
    chosen,
    label,
    not_shown,
    plain,
    shown,
    usual,
)
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, InvalidValueError
from tracking.records import RunStatus
from tracking.search.catalog import Catalog
from tracking.search.query import Field, FieldKind, MetricPart, parse_field
from tracking.store.amend import last_sign_of_life
from tracking.store.store import Store
from tracking.values import timestamps
from tracking.values.units import format_clock

RUN_ID, STATUS, CREATED, DURATION = map(parse_field, ("run_id", "status", "created_at", "duration_s"))
SHORTEST_S = 0.1  # between two reads
ROOM = 6  # lines of the terminal that are not rows

ELAPSED = "elapsed_s"

Row = dict[str, Any]


class Look(NamedTuple):
    """The runs at one moment: the field of each column, and a row of values per run."""

    fields: dict[str, Field]
    rows: list[Row]
    note: str = ""

    @property
    def labels(self) -> list[str]:
        """The names of the columns in a table."""
        return ["elapsed" if name == ELAPSED else name for name in self.rows[0]]

    def cells(self, most: int | None = None) -> list[list[Any]]:
        """Return the rows as a table shows them."""
        return [[self._cell(name, value) for name, value in row.items()] for row in self.rows[:most]]

    def _cell(self, name: str, value: Any) -> Any:
        if name == ELAPSED:
            return format_clock(value)
        return shown(self.fields[name], value) if name in self.fields else value


def watch(
    experiment: ExperimentArgument,
    columns: ColumnsOption = None,
    interval_s: Annotated[
        float, typer.Option("--interval", metavar="SECONDS", help="The time between two reads.")
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Show the runs once and exit.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Watch the runs of an experiment.

    Running ones first, then the newest; until Ctrl-C. A terminal shows one table that is updated, a pipe gets a new
    table after each change. With --json each table is one line.

    Example: python -m tracking watch ctr_model --interval 5
    """
    if interval_s < SHORTEST_S:
        raise InvalidValueError(
            f"--interval is {interval_s}; it is a number of seconds, {SHORTEST_S} or more"
        )
    catalog = Catalog(Store(store))
    damaged: list[CorruptFileError] = []
    looks = _looks(
        partial(_look, catalog, experiment, columns, damaged, as_json), None if once else interval_s
    )
    if sys.stdout.isatty() and not as_json and not once:
        _draw(experiment, looks)
    else:
        _write(experiment, looks, as_json=as_json)
    return output.report(damaged)


def _looks(look: Callable[[], Look], interval_s: float | None) -> Iterator[Look]:
    """Yield the runs now and, if there is an interval, after each interval."""
    while True:
        yield look()
        if interval_s is None:
            return
        time.sleep(interval_s)


def _draw(experiment: str, looks: Iterator[Look]) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    try:
        with Live(auto_refresh=False, vertical_overflow="crop") as live:
            for look in looks:
                size = shutil.get_terminal_size()
                most = max(1, size.lines - ROOM)
                parts: list[Any] = [Text(output.safe(_headline(experiment, look)), style="bold")]
                if look.rows:
                    columns = tables.columns_of(look.labels, look.cells(most), keep=2)
                    table, note = tables.fitting_table(columns, size.columns)
                    parts += [table, Text(note, style="dim")] if note else [table]
                if len(look.rows) > most:
                    parts.append(Text(f"and {len(look.rows) - most} more", style="dim"))
                if look.note:
                    parts.append(Text(output.safe(look.note), style="dim"))
                live.update(Group(*parts), refresh=True)
    except KeyboardInterrupt:
        return  # ends the command


def _write(experiment: str, looks: Iterator[Look], *, as_json: bool) -> None:
    before: list[Row] | None = None
    for look in looks:
        # The elapsed time alone is no change that a pipe or a script waits for.
        steady = [{name: value for name, value in row.items() if name != ELAPSED} for row in look.rows]
        if steady == before:
            continue
        before = steady
        if as_json:
            output.say_json_line({"experiment": experiment, "runs": look.rows})
        else:
            output.say(f"{datetime.now():%H:%M:%S} {_headline(experiment, look)}")
            if look.rows:
                tables.say_rows(look.labels, look.cells())
            if look.note:
                output.say(look.note)
            output.say()
        sys.stdout.flush()


def _headline(experiment: str, look: Look) -> str:
    counts = Counter(row["status"] for row in look.rows)
    counts_text = ", ".join(f"{counts[status]} {status.value}" for status in RunStatus if counts[status])
    return f"{experiment}: {counts_text or 'no runs yet'}"


def _look(
    catalog: Catalog, experiment: str, columns: str | None, damaged: list[CorruptFileError], as_json: bool
) -> Look:
    damaged.clear()
    names = catalog.names(experiment)
    fields = chosen(columns, names) if columns else usual(names, [], experiment, as_json=as_json)
    fields = [field for field in fields if field not in (RUN_ID, STATUS, CREATED, DURATION)]
    taken = [RUN_ID, STATUS, *(Field(FieldKind.RUN, name) for name in (ELAPSED, "step"))]
    labels = {field: label(field, [*taken, *fields]) for field in fields}
    steps = [Field(FieldKind.METRIC, field.name, MetricPart.LAST_STEP) for field in fields if field.part]
    every = list(dict.fromkeys([RUN_ID, STATUS, CREATED, DURATION, *fields, *steps]))
    run_ids, values = catalog.columns(every, damaged.append, experiment_name=experiment)
    order = sorted(
        range(len(run_ids)),
        key=lambda row: (values[STATUS][row] != RunStatus.RUNNING, -values[CREATED][row].timestamp()),
    )
    rows = [
        {
            "run_id": run_ids[row],
            "status": values[STATUS][row],
            ELAPSED: _seconds(
                catalog.store, run_ids[row], values[STATUS][row], values[CREATED][row], values[DURATION][row]
            ),
            "step": max((step for field in steps if (step := values[field][row]) is not None), default=None),
            **{name: plain(values[field][row]) for field, name in labels.items()},
        }
        for row in order
    ]
    note = "" if columns or as_json else not_shown(names, fields)
    return Look({name: field for field, name in labels.items()}, rows, note)


def _seconds(
    store: Store, run_id: str, status: RunStatus, created: datetime, duration: float | None
) -> float | None:
    """Return how long a run has been running; for one whose process died, until its last write."""
    if duration is None:
        end = datetime.now().astimezone()
        if status is not RunStatus.RUNNING:
            try:
                last = last_sign_of_life(store.paths.run(run_id), {"created_at": str(created)})
            except OSError:
                return None  # it has just been deleted
            end = timestamps.parse(last)
        duration = (end - created).total_seconds()
    return round(duration, 3)
