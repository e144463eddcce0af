"""RunList: the runs that a query found, still a list, with a DataFrame and an HTML view; and that view of a whole store."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from tracking.records import RunRecord, RunStatus
from tracking.search.comparison import MISSING, Comparison
from tracking.values import htmltext
from tracking.values.celltext import param
from tracking.values.units import counted

if TYPE_CHECKING:  # pandas is only loaded by those who ask for a frame
    import pandas as pd

    from tracking.search.index import Row


FEW = 5  # runs that the repr shows
MOST_METRICS = 8  # beside many parameters


class RunList(list[RunRecord]):
    """Runs in the order of a query. `frame()` returns them as a DataFrame; a notebook shows them as a table."""

    def frame(self, *, differing: bool = False, grouped: bool = False) -> "pd.DataFrame":
        """Return the table that `ExperimentTracker.compare_runs` returns for these runs, from what was read already."""
        return self._comparison().frame(differing=differing, grouped=grouped)

    @overload
    def __getitem__(self, place: SupportsIndex, /) -> RunRecord: ...
    @overload
    def __getitem__(self, place: slice, /) -> "RunList": ...
    def __getitem__(self, place: SupportsIndex | slice, /) -> "RunRecord | RunList":
        return RunList(super().__getitem__(place)) if isinstance(place, slice) else super().__getitem__(place)

    def __repr__(self) -> str:
        if len(self) <= FEW:
            return super().__repr__()
        first = ", ".join(map(repr, list(self)[:FEW]))
        return f"[{first}, ... {counted(len(self) - FEW, 'more run')}]"

    def _comparison(self) -> Comparison:
        def shown(run: RunRecord) -> dict[str, Any]:
            created = run.created_at.isoformat(timespec="milliseconds")
            return {**vars(run), "status": run.status.value, "created_at": created}

        return Comparison.of_runs([(shown(run), run) for run in self])

    def _repr_html_(self) -> str:
        some = self[: htmltext.MOST_ROWS]
        found = some._comparison()
        params = found.differing().params if len(some) > 1 else found.params
        columns = replace(
            found,
            about={
                "run_id": found.about["run_id"],
                **{
                    name: found.about[name]
                    for name in ("experiment_name",)
                    if len(set(found.about[name])) > 1
                },
                "status": found.about["status"],
                "created_at": [run.created_at for run in some],
            },
            params={name: [_cell(value) for value in column] for name, column in params.items()},
            metrics={name: [_known(value) for value in column] for name, column in found.metrics.items()},
        ).columns()
        columns = _with_metrics(columns, params, found.metrics)
        rest = len(self) - len(some)
        notes = [f"{counted(rest, 'more run')}; frame() has all"] if rest else []
        return htmltext.table(
            list(columns),
            list(zip(*columns.values(), strict=True)),
            title=counted(len(self), "run"),
            notes=notes,
        )


def _with_metrics(
    columns: Mapping[str, Any], params: Mapping[str, Any], metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the columns in an order of which a table shows some metrics, too, where it has no room for all of them."""
    names = list(columns)
    first = len(names) - len(params) - len(metrics)
    room = htmltext.MOST_COLUMNS - first - min(len(metrics), MOST_METRICS)
    place = first + max(0, min(room, len(params)))
    later = names[place : first + len(params)]
    return {name: columns[name] for name in [*names[:place], *names[first + len(params) :], *later]}


def experiments_html(name: str, runs: "Iterable[Row]") -> str:
    """Return a table of the experiments of a store: how many runs each has, by their states, and the newest."""
    groups: dict[str, tuple[Counter[str], str]] = {}
    for run in runs:
        counts, _ = groups.get(run.experiment_name, (Counter[str](), ""))
        counts[run.status] += 1
        groups[run.experiment_name] = counts, run.run_id
    statuses = [status for status in RunStatus if any(counts[status] for counts, _ in groups.values())]
    rows = [
        (experiment, counts.total(), *(counts[status] for status in statuses), newest)
        for experiment, (counts, newest) in groups.items()
    ]
    notes = [] if rows else ["no runs yet"]
    return htmltext.table(
        ("experiment", "runs", *statuses, "newest"), rows, title=f"Experiments in {name}", notes=notes
    )


def _known(value: Any) -> Any:
    return None if value is MISSING else value


def _cell(value: Any) -> Any:
    return None if value is MISSING else param(value)
