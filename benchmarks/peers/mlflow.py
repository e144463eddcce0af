"""MLflow with its SQLite backend, through the calls its documentation shows first.

A run is `start_run`, which gets the tags, `log_params`, `log_metrics`, and `end_run`.
"""

import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.driving import Answer, OpenRun, first_and_again, per_run, timed_log

PACKAGE = "mlflow"

PAGE = 50_000  # the most runs that one search may ask for
BATCH = 1000  # the most metrics that one log_batch may hold


def open_run(folder: Path, _name: str, params: dict[str, Any], tags: dict[str, str]) -> OpenRun:
    """Start a run, and log its parameters."""
    mlflow, _ = _opened(folder)
    mlflow.start_run(tags=tags)
    if params:
        mlflow.log_params(params)
    return mlflow.log_metrics, mlflow.end_run


def log_batched(folder: Path, steps: int) -> Answer:
    """Log with `MlflowClient.log_batch`, as full as it may be: the caller keeps the points until then."""
    mlflow, _ = _opened(folder)
    client = mlflow.MlflowClient()
    run_id = mlflow.start_run().info.run_id
    batch: list[Any] = []

    def log(metrics: Mapping[str, float], step: int) -> None:
        batch.extend(_metrics(metrics, step))
        if len(batch) > BATCH - len(metrics):
            write()

    def write() -> None:
        client.log_batch(run_id, metrics=batch)
        batch.clear()

    def close() -> None:
        write()
        mlflow.end_run()

    return timed_log(log, close, steps)


def runs_batched(folder: Path, count: int) -> Answer:
    """Record with `create_run`, which gets the tags, one `log_batch`, `set_terminated`."""
    record = _recorder(folder)
    return per_run(lambda number: record(number, [workload.results(number)]), count)


def fill(folder: Path, count: int) -> Answer:
    """Write runs with history in one batch each; SQLite does not wait for the disk meanwhile."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def _hurry(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    record = _recorder(folder)
    for number in range(count):
        record(number, [workload.curve(number, step) for step in range(workload.CURVE_STEPS)])
    return {}


def best(folder: Path, _count: int) -> Answer:
    """Ask `MlflowClient.search_runs`, ordered, for the first one."""
    mlflow, experiment = _opened(folder)
    client = mlflow.MlflowClient()
    order = [f"metrics.{workload.TARGET} DESC"]

    def ask() -> Any:
        return client.search_runs([experiment], order_by=order, max_results=1)[0].info.run_id

    return first_and_again(ask, times=3)


def search(folder: Path, _count: int) -> Answer:
    """Ask `MlflowClient.search_runs` with a filter; its parameters are text, so that part is left out."""
    mlflow, experiment = _opened(folder)
    client = mlflow.MlflowClient()
    wanted = f"metrics.{workload.TARGET} > 0.9 and tags.stage = 'candidate' and params.seed LIKE '1%'"
    return first_and_again(lambda: len(client.search_runs([experiment], wanted, max_results=PAGE)), times=3)


def table(folder: Path, count: int) -> Answer:
    """Ask `mlflow.search_runs`, which gives a DataFrame."""
    __import__("pandas")  # not part of the figure
    mlflow, experiment = _opened(folder)
    return first_and_again(lambda: mlflow.search_runs([experiment], max_results=count).shape, times=1)


@functools.cache  # not once per run
def _opened(folder: Path) -> tuple[Any, str]:
    """Return mlflow, using the folder's database, and its experiment's id."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    if mlflow.get_experiment_by_name(workload.EXPERIMENT) is None:
        mlflow.create_experiment(workload.EXPERIMENT, artifact_location=str(folder / "artifacts"))
    return mlflow, str(mlflow.set_experiment(workload.EXPERIMENT).experiment_id)


def _recorder(folder: Path) -> Callable[[int, list[dict[str, float]]], None]:
    mlflow, experiment = _opened(folder)
    from mlflow.entities import Param

    client = mlflow.MlflowClient()

    def record(number: int, points: list[dict[str, float]]) -> None:
        run_id = client.create_run(experiment, tags=workload.tags(number)).info.run_id
        metrics = [metric for step, values in enumerate(points) for metric in _metrics(values, step)]
        params = [Param(name, str(value)) for name, value in workload.params(number).items()]
        client.log_batch(run_id, metrics=metrics, params=params)
        client.set_terminated(run_id)

    return record


def _metrics(values: Mapping[str, float], step: int) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, value, now, step) for name, value in values.items()]
