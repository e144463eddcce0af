"""The table of `compare --grouped`: a row per group of runs that differ only in the seed."""

from typing import Any

from tracking.cli.ranking import Ranking
from tracking.cli.toolkit import output, tables
from tracking.search.comparison import MISSING, Columns, Comparison
from tracking.values.names import natural_key


def say_groups(
    experiment: str, ranking: Ranking, *, limit: int | None, differing: bool, as_json: bool
) -> None:
    """Write the groups, the one with the best mean first."""
    oldest_first = sorted(ranking.runs, key=lambda run: natural_key(run.run_id))
    runs = [({**vars(run), "status": run.status.value}, run) for run in oldest_first]
    comparison = Comparison.of_runs(runs).grouped()
    count = len(comparison.about["n"])
    objective = ranking.objective
    means = [_plain(mean) for mean in comparison.metrics.get(objective.label, [MISSING] * count)]
    order = sorted(range(count), key=lambda row: objective.key(means[row]))[:limit]
    shown = comparison.differing() if differing else comparison
    columns = {
        "n": comparison.about["n"],
        **_arranged(shown, objective.metric),
        "run_ids": comparison.about["run_ids"],
    }
    rows = [{name: _plain(column[row]) for name, column in columns.items()} for row in order]
    if as_json:
        output.say_json({**ranking.decided_by(experiment), "groups": rows})
        return
    output.title(f"EXPERIMENT COMPARISON: {experiment}, by seeds")
    if not rows:
        output.say("No run is completed yet.")
        return
    cells = [
        [
            output.ranges(cell, whole=False) if name == "run_ids" else _cell(shown, name, cell)
            for name, cell in row.items()
        ]
        for row in rows
    ]
    tables.say_rows(list(columns), cells, keep=2)


def _arranged(shown: Comparison, metric: str | None) -> Columns:
    """Return the columns by importance: the metric of the ranking, what differs, the other metrics, the rest."""
    columns = {name: column for name, column in shown.columns().items() if name not in shown.about}
    first = [name for name in (metric, f"{metric}_std") if name in columns]
    differ = [name for name in shown.differing().columns() if name in shown.params]
    metrics = [name for name in columns if name in shown.metrics]
    return {name: columns[name] for name in dict.fromkeys([*first, *differ, *metrics, *columns])}


def _plain(value: Any) -> Any:
    return None if value is MISSING else value


def _cell(shown: Comparison, name: str, cell: Any) -> Any:
    return cell if name in shown.metrics or name == "n" or cell is None else output.param(cell)
