"""MLflow with its SQLite backend, through the calls its documentation shows first."""

import time
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.driving import Answer, answer, first_and_again, per_run, timed_ms, timed_table

PAGE = 50_000  # the most runs that one search may ask for
BATCH = 1000  # the most metrics that one log_batch may hold


def log(folder: Path, steps: int) -> Answer:
    """`mlflow.log_metrics`, a call per step."""
    mlflow = _opened(folder)
    mlflow.start_run()
    started = time.perf_counter()
    for step in range(steps):
        mlflow.log_metrics(workload.point(step), step=step)
    mlflow.end_run()
    return {"us_per_step": (time.perf_counter() - started) / steps * 1e6}


def log_batched(folder: Path, steps: int) -> Answer:
    """`MlflowClient.log_batch`, as full as it may be: the caller keeps the points until then."""
    mlflow = _opened(folder)
    from mlflow.entities import Metric

    client = mlflow.MlflowClient()
    run_id = mlflow.start_run().info.run_id
    started = time.perf_counter()
    batch: list[Any] = []
    for step in range(steps):
        now = int(time.time() * 1000)
        batch += [Metric(name, value, now, step) for name, value in workload.point(step).items()]
        if len(batch) > BATCH - 3 or step == steps - 1:
            client.log_batch(run_id, metrics=batch)
            batch = []
    mlflow.end_run()
    return {"us_per_step": (time.perf_counter() - started) / steps * 1e6}


def runs(folder: Path, count: int) -> Answer:
    """`start_run` with tags, `log_params`, `log_metrics`."""
    mlflow = _opened(folder)

    def run(number: int) -> None:
        with mlflow.start_run(tags=workload.tags(number)):
            mlflow.log_params(workload.params(number))
            mlflow.log_metrics(workload.results(number))

    return per_run(run, count)


def runs_batched(folder: Path, count: int) -> Answer:
    """`create_run` with tags, one `log_batch`, `set_terminated`."""
    mlflow = _opened(folder)
    record = _recorder(mlflow)
    return per_run(lambda number: record(number, [workload.results(number)]), count)


def fill(folder: Path, count: int) -> Answer:
    """Write runs with history in one batch each; SQLite does not wait for the disk meanwhile."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def _hurry(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    mlflow = _opened(folder)
    record = _recorder(mlflow)

    def fill_up() -> None:
        for number in range(count):
            record(number, [workload.curve(number, step) for step in range(workload.CURVE_STEPS)])

    return {"s": timed_ms(fill_up) / 1e3}


def best(folder: Path, _count: int) -> Answer:
    """`MlflowClient.search_runs`, ordered, the first one."""
    mlflow = _opened(folder)
    client = mlflow.MlflowClient()
    experiment = _experiment(mlflow)
    order = [f"metrics.{workload.TARGET} DESC"]
    return first_and_again(lambda: client.search_runs([experiment], order_by=order, max_results=1)[0], 3)


def search(folder: Path, _count: int) -> Answer:
    """`MlflowClient.search_runs` with a filter; its parameters are text, so that part is left out."""
    mlflow = _opened(folder)
    client = mlflow.MlflowClient()
    experiment = _experiment(mlflow)
    wanted = f"metrics.{workload.TARGET} > 0.9 and tags.stage = 'candidate' and params.seed LIKE '1%'"
    found: list[Any] = []
    took = first_and_again(
        lambda: found.append(client.search_runs([experiment], wanted, max_results=PAGE)), times=3
    )
    return {**took, "found": len(found[0])}


def table(folder: Path, count: int) -> Answer:
    """`mlflow.search_runs`, which gives a DataFrame."""
    pandas_ms = timed_ms(lambda: __import__("pandas"))
    mlflow = _opened(folder)

    def shape() -> Any:
        return mlflow.search_runs([_experiment(mlflow)], max_results=count).shape

    return {**timed_table(shape), "pandas_ms": pandas_ms}


def start(folder: Path, _count: int) -> Answer:
    """Measure the import, and a run that is ready and has its first point, in a database that exists."""
    import_ms = timed_ms(lambda: __import__("mlflow"))

    def first_run() -> None:
        mlflow = _opened(folder)
        with mlflow.start_run():
            mlflow.log_params(workload.params(0))
            mlflow.log_metrics(workload.point(0), step=0)

    return {"import_ms": import_ms, "first_run_ms": timed_ms(first_run)}


def _opened(folder: Path) -> Any:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    if mlflow.get_experiment_by_name(workload.EXPERIMENT) is None:
        mlflow.create_experiment(workload.EXPERIMENT, artifact_location=str(folder / "artifacts"))
    mlflow.set_experiment(workload.EXPERIMENT)
    return mlflow


def _experiment(mlflow: Any) -> str:
    return str(mlflow.get_experiment_by_name(workload.EXPERIMENT).experiment_id)


def _recorder(mlflow: Any) -> Any:
    from mlflow.entities import Metric, Param

    client = mlflow.MlflowClient()
    experiment = _experiment(mlflow)

    def record(number: int, points: list[dict[str, float]]) -> None:
        run = client.create_run(experiment, tags=workload.tags(number))
        now = int(time.time() * 1000)
        metrics = [
            Metric(name, value, now, step)
            for step, values in enumerate(points)
            for name, value in values.items()
        ]
        params = [Param(name, str(value)) for name, value in workload.params(number).items()]
        client.log_batch(run.info.run_id, metrics=metrics, params=params)
        client.set_terminated(run.info.run_id)

    return record


if __name__ == "__main__":
    answer(
        {
            "best": best,
            "fill": fill,
            "log": log,
            "log_batched": log_batched,
            "runs": runs,
            "runs_batched": runs_batched,
            "search": search,
            "start": start,
            "table": table,
        }
    )
