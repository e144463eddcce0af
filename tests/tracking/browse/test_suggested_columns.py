"""The columns that a table of runs begins with: what the latest sweeps are about, and what tells runs apart."""

from pathlib import Path

from tracking import ExperimentTracker
from tracking.browse.reader import StoreReader
from tracking.process.sweep_context import job_context


def log_runs(tracker: ExperimentTracker, *results: dict[str, float], sweep: str, metric: str) -> None:
    """Make a run of each result, as the jobs of a sweep that ranks by a metric."""
    objective = {"metric": metric, "mode": "max", "at": "best"}
    for job, result in enumerate(results):
        with (
            job_context(sweep=sweep, job=job, key=str(job), config_hash="h", objective=objective),
            tracker.start_run("x", params={"lr": job}) as run,
        ):
            run.log(result)


def metrics_of(store: Path) -> list[str]:
    reader = StoreReader(store)
    names = reader.names()
    return [name for name in names["suggested"] if name.split(".")[0] in names["metrics"]]


def test_the_objective_of_the_latest_sweep_comes_first(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    log_runs(tracker, {"test_auc": 0.5, "odd": 1}, {"test_auc": 0.6, "odd": 2}, sweep="s1", metric="test_auc")
    log_runs(tracker, {"test_auc": 0.7, "odd": 3}, {"test_auc": 0.8, "odd": 4}, sweep="s2", metric="odd")
    assert [name.split(".")[0] for name in metrics_of(tmp_path)] == ["odd", "test_auc"]


def test_a_metric_that_is_the_same_in_all_runs_is_left_out(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    for value in (0.5, 0.6):
        with tracker.start_run("x") as run:
            run.log({"bayes_auc": 0.9, "val_auc": value})
    assert metrics_of(tmp_path) == ["val_auc.max"]


def test_metrics_that_are_all_the_same_are_better_than_none(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    for _ in range(2):
        with tracker.start_run("x") as run:
            run.log({"val_auc": 0.5})
    assert metrics_of(tmp_path) == ["val_auc.max"]


def test_an_objective_that_is_none_suggests_nothing(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    log_runs(tracker, {"auc": 0.5}, {"auc": 0.6}, sweep="s1", metric="never_logged")
    assert metrics_of(tmp_path) == ["auc.max"]


def test_parameters_that_are_lists_come_last(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    for count in (1, 2):
        with tracker.start_run("x", params={"cardinalities": [count], "lr": count, "seed": count}):
            pass
    assert StoreReader(tmp_path).names()["suggested"][-3:] == ["lr", "seed", "cardinalities"]


def test_a_metric_of_validation_leads_and_one_of_the_test_stands_beside(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    for value in (0.5, 0.6):
        with tracker.start_run("x") as run:
            run.log({"test_auc": value, "train_auc": value, "val_auc": value, "val_loss": value})
    assert metrics_of(tmp_path) == ["val_auc.max", "test_auc.max"]
    leading = StoreReader(tmp_path).names()["leading"]
    assert leading == {"metric": "val_auc", "mode": "max", "column": "val_auc.max"}


def test_a_weaker_metric_leads_rather_than_one_of_the_test(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    for value in (0.5, 0.6):
        with tracker.start_run("x") as run:
            run.log({"test_auc": value, "val_loss": value})
    assert metrics_of(tmp_path) == ["val_loss.min", "test_auc.max"]


def test_nothing_leads_where_only_the_test_was_measured(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    for value in (0.5, 0.6):
        with tracker.start_run("x") as run:
            run.log({"test_auc": value})
    names = StoreReader(tmp_path).names()
    assert names["leading"] is None
    assert "test_auc.max" in names["suggested"]


def test_what_sweeps_rank_by_leads_with_their_mode_and_their_value(tmp_path: Path) -> None:
    objective = {"metric": "odd", "mode": "min", "at": "last"}
    tracker = ExperimentTracker(tmp_path)
    with (
        job_context(sweep="s", job=0, key="0", config_hash="h", objective=objective),
        tracker.start_run("x") as run,
    ):
        run.log({"odd": 1, "val_auc": 0.5})
    names = StoreReader(tmp_path).names()
    assert names["leading"] == {"metric": "odd", "mode": "min", "column": "odd"}
