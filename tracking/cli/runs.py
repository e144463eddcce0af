"""Commands about runs: list, compare, plot, show, best."""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer

from tracking import compare as comparison
from tracking.cli import output
from tracking.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, TrackingError, UnknownRunError
from tracking.names import natural_key
from tracking.records import RunRecord, RunStatus
from tracking.store import Store

Experiment = Annotated[str, typer.Argument(help="The experiment's name.")]
MetricOption = Annotated[
    str | None, typer.Option("--metric", help="Sort by this metric, not by the best available.")
]
ModeOption = Annotated[
    str | None, typer.Option("--mode", help="max or min; by default what suits the metric.")
]


def list_experiments(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> int:
    """List all experiments and their runs.

    Example: python -m tracking list
    """
    runs, damaged = _entries(Store(store))
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault(run["experiment_name"], []).append(run)
    if as_json:
        output.say_json(
            {
                name: _counts(group) | {"run_ids": [run["run_id"] for run in group]}
                for name, group in groups.items()
            }
        )
    elif not groups:
        output.say(f"No runs in {store!r} yet.")
    elif sys.stdout.isatty():
        rows = [
            [name, *_counts(group).values(), output.ranges([run["run_id"] for run in group], whole=False)]
            for name, group in groups.items()
        ]
        output.title("ALL EXPERIMENTS")
        output.table(
            ["experiment", "runs", *(status.value for status in RunStatus), "run ids"], rows, wraps=True
        )
    else:
        output.title("ALL EXPERIMENTS")
        for name, group in groups.items():
            output.say(f"\n{name}:")
            for status, count in _counts(group).items():
                if count or status in ("total", "completed"):
                    output.say(f"  {'Total runs' if status == 'total' else status.capitalize()}: {count}")
            output.say(f"  Run IDs: {output.ranges([run['run_id'] for run in group], whole=True)}")
    return output.report(damaged)


def compare(
    experiment: Experiment,
    metric: MetricOption = None,
    mode: ModeOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Compare the runs of an experiment.

    Best first, and the best one in full below. Without --metric the best available one decides: test_auc, val_auc,
    any AUC, accuracy, loss, in this order.

    Example: python -m tracking compare ctr_model --metric val_loss
    """
    runs, damaged = _experiment(Store(store), experiment)
    chosen, direction, ranked = _rank(runs, metric, mode)
    best = comparison.best(ranked, chosen, direction) if chosen else None
    if as_json:
        output.say_json(
            {
                "experiment": experiment,
                "metric": chosen,
                "mode": direction,
                "best": best.run_id if best else None,
                "runs": [_facts(run) for run in ranked],
            }
        )
        return output.report(damaged)
    output.say(f"Found {len(runs)} run{'s' if len(runs) != 1 else ''} for {experiment!r}\n")
    output.title(f"EXPERIMENT COMPARISON: {experiment}")
    columns, rows = _table(ranked, chosen)
    output.table(columns, rows, keep=3)
    output.say()
    if best and chosen:
        _say_best(best, chosen)
    else:
        output.say("No run has a metric with a finite value yet.")
    return output.report(damaged)


def plot(
    experiment: Experiment,
    metric: Annotated[str, typer.Argument(help="The metric to draw.")],
    run_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="The runs; by default all that have it.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Draw the curves of a metric.

    The picture is metric_comparison_METRIC.png in the store.

    Example: python -m tracking plot ctr_model val_auc run_001 run_002
    """
    from tracking.history import read_history
    from tracking.plots import plot_metric

    place = Store(store)
    runs, damaged = _experiment(place, experiment)
    known = {run.run_id: run for run in runs}
    for run_id in run_ids or ():
        if run_id not in known:
            other = place.require(run_id)["experiment_name"]
            raise UnknownRunError(
                f"run {run_id!r} belongs to the experiment {other!r}, not to {experiment!r}"
            )
    histories = {}
    for run_id in run_ids or known:
        if metric in known[run_id].summary:
            histories[run_id] = read_history(place.paths.run(run_id))[metric]
        elif run_ids:
            sys.stderr.write(f"tracking: {run_id} has no metric {metric!r}; it is left out\n")
    if not histories:
        names = sorted({name for run in runs for name in run.summary}, key=natural_key)
        raise TrackingError(
            f"no run to draw has the metric {metric!r}; metrics of {experiment!r}: {', '.join(names) or 'none'}"
        )
    path = plot_metric(place.paths.plot(metric), metric, histories, title=f"{experiment}: {metric}")
    path = place.paths.named / path.name
    output.say_json({"path": str(path), "runs": list(histories)}) if as_json else output.say(f"Wrote {path}")
    return output.report(damaged)


def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Show one run in full.

    How it went, parameters, metrics, artifacts.

    Example: python -m tracking show run_001
    """
    place = Store(store)
    entry = place.require(run_id)
    run = place.record(entry)
    artifacts = sorted(
        str(path.relative_to(run.run_dir / "artifacts"))
        for path in (run.run_dir / "artifacts").rglob("*")
        if path.is_file()
    )
    if as_json:
        output.say_json(
            {**_facts(run), "artifacts": artifacts, "history": (place.full(run_id) or {})["metrics"]}
        )
        return 0
    output.title(f"{run.run_id}: {run.experiment_name}")
    facts = {
        "Status": run.status.value,
        "Created": f"{run.created_at:%Y-%m-%d %H:%M:%S}",
        "Finished": f"{run.finished_at:%Y-%m-%d %H:%M:%S}" if run.finished_at else None,
        "Duration": _duration(run),
        "Tags": ", ".join(f"{name}={value}" for name, value in run.tags.items()),
        "Description": run.description,
        "Folder": run.run_dir,
        "Sweep": f"{run.sweep.get('id')}, job {run.sweep.get('job')}" if run.sweep else None,
        "Error": run.error,
    }
    for name, fact in facts.items():
        if fact:
            output.say(f"{name}: {fact}")
    _say_params(run)
    if run.summary:
        output.say("\nMetrics:")
        rows = [
            [name, s.last, s.min, s.min_step, s.max, s.max_step, s.count] for name, s in run.summary.items()
        ]
        output.table(["metric", "last", "min", "at", "max", "at", "points"], rows, keep=2)
    if artifacts:
        output.say("\nArtifacts:")
        for artifact in artifacts:
            output.say(f"  {artifact}")
    return 0


def best(
    experiment: Experiment,
    metric: MetricOption = None,
    mode: ModeOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Show the best run of an experiment.

    With its parameters and final metrics.

    Example: python -m tracking best ctr_model --metric val_loss --mode min
    """
    runs, damaged = _experiment(Store(store), experiment)
    chosen, direction, ranked = _rank(runs, metric, mode)
    found = comparison.best(ranked, chosen, direction) if chosen else None
    if found is None or chosen is None:
        raise TrackingError(f"no run of {experiment!r} has a finite value of {metric or 'any metric'}")
    if as_json:
        output.say_json({"metric": chosen, "mode": direction, **_facts(found)})
    else:
        _say_best(found, chosen)
    return output.report(damaged)


def _entries(store: Store) -> tuple[list[dict[str, Any]], list[CorruptFileError]]:
    damaged: list[CorruptFileError] = []
    return [store.public(entry) for entry in store.entries(None, damaged.append)], damaged


def _experiment(store: Store, experiment: str) -> tuple[list[RunRecord], list[CorruptFileError]]:
    damaged: list[CorruptFileError] = []
    runs = list(store.records(experiment, damaged.append))
    if not runs and not damaged:
        names = dict.fromkeys(entry["experiment_name"] for entry in store.entries(None, damaged.append))
        raise TrackingError(
            f"no runs of an experiment {experiment!r} in {str(store.paths.named)!r}; known: {', '.join(names) or 'none'}"
        )
    return runs, damaged


def _rank(
    runs: Sequence[RunRecord], metric: str | None, mode: str | None
) -> tuple[str | None, str, list[RunRecord]]:
    chosen = metric or comparison.best_available_metric(runs)
    direction = mode or comparison.mode_of(chosen or "")
    return chosen, direction, comparison.ranked(runs, chosen or "", direction)


def _table(runs: Sequence[RunRecord], metric: str | None) -> tuple[list[str], list[list[Any]]]:
    """Columns by how much they tell: id, status, the metric, what differs between runs, other metrics, the rest."""
    params = list(dict.fromkeys(name for run in runs for name in run.params))
    differ = [name for name in params if len({repr(run.params.get(name)) for run in runs}) > 1]
    metrics = [name for name in dict.fromkeys(name for run in runs for name in run.summary) if name != metric]
    metrics.sort(key=lambda name: not name.startswith("test"))
    names: list[tuple[str, str]] = [("metric", metric)] if metric else []
    names += [("param", name) for name in differ] + [("metric", name) for name in metrics]
    names += [("param", name) for name in params if name not in differ]
    rows = []
    for run in runs:
        cells = [
            output.param(run.params.get(name))
            if kind == "param"
            else getattr(run.summary.get(name), "last", None)
            for kind, name in names
        ]
        rows.append([run.run_id, run.status.value, *cells])
    return ["run_id", "status", *(name for _, name in names)], rows


def _say_best(run: RunRecord, metric: str) -> None:
    output.title("BEST RUN:")
    output.say(f"Run ID: {run.run_id}")
    output.say(f"Best {metric}: {output.show(run.summary[metric].last)}")
    _say_params(run)
    output.say("\nFinal Metrics:")
    for name, summary in run.summary.items():
        output.say(f"  {name}: {output.show(summary.last)}")


def _say_params(run: RunRecord) -> None:
    if run.params:
        output.say("\nParameters:")
        for name, value in run.params.items():
            output.say(f"  {name}: {output.param(value)}")


def _counts(group: Sequence[dict[str, Any]]) -> dict[str, int]:
    counts = Counter(run["status"] for run in group)
    return {"total": len(group), **{status.value: counts[status.value] for status in RunStatus}}


def _facts(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "experiment_name": run.experiment_name,
        "status": run.status.value,
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "tags": run.tags,
        "description": run.description,
        "run_dir": str(run.run_dir),
        "params": run.params,
        "metrics": {name: summary.last for name, summary in run.summary.items()},
        "sweep": run.sweep,
        "data": run.data,
        "error": run.error,
    }


def _duration(run: RunRecord) -> str | None:
    if run.finished_at is None:
        return None
    return str(timedelta(seconds=round((run.finished_at - run.created_at).total_seconds())))
