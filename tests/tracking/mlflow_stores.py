"""Stores of MLflow, a database and a folder, as it writes them."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

LARGEST = 1.7976931348623157e308
START = 1_700_000_000_250  # milliseconds
FIRST, SECOND = "a" * 32, "b" * 32
Point = tuple[str, Any, Any, Any, int]


class Database:
    """A database with the tables of MLflow that an import reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sql("CREATE TABLE experiments (experiment_id INTEGER, name TEXT, lifecycle_stage TEXT)")
        self.sql(
            "CREATE TABLE runs (run_uuid TEXT, name TEXT, status TEXT, start_time BIGINT, end_time BIGINT, "
            "lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER)"
        )
        for table in ("params", "tags"):
            self.sql(f"CREATE TABLE {table} (key TEXT, value TEXT, run_uuid TEXT)")
        for table in ("metrics", "latest_metrics"):
            self.sql(
                f"CREATE TABLE {table} (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, "
                "is_nan BOOLEAN, PRIMARY KEY (key, run_uuid, timestamp, step, value, is_nan))"
            )
        self.sql("INSERT INTO experiments VALUES (1, 'ctr_model', 'active')")

    def sql(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path)) as sql, sql:
            sql.execute(statement, values)

    def add(
        self,
        run_id: str,
        *,
        status: str = "FINISHED",
        stage: str = "active",
        uri: str = "",
        params: Mapping[str, Any] = {},
        tags: Mapping[str, Any] = {},
        points: Sequence[Point] = (),
    ) -> None:
        end = None if status == "RUNNING" else START + 1000
        row = (run_id, "merry-cat-1", status, START, end, stage, uri)
        self.sql("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, 1)", *row)
        for table, values in (("params", params), ("tags", tags)):
            for key, value in values.items():
                self.sql(f"INSERT INTO {table} VALUES (?, ?, ?)", key, value, run_id)
        for key, value, moment, step, is_nan in points:
            self.sql(
                "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", key, value, moment, run_id, step, is_nan
            )


def write_folder_run(root: Path, run_id: str, *, stage: str = "active", status: int = 3) -> Path:
    """A run as MLflow's file store has it, in its experiment `ctr: model`."""
    experiment = root / "1"
    experiment.mkdir(parents=True, exist_ok=True)
    (experiment / "meta.yaml").write_text(
        "artifact_location: file:///elsewhere/1\nexperiment_id: '1'\nlifecycle_stage: active\nname: 'ctr: model'\n"
    )
    run = experiment / run_id
    for folder in ("params", "tags", "metrics/val", "artifacts/plots"):
        (run / folder).mkdir(parents=True)
    (run / "meta.yaml").write_text(
        f"artifact_uri: file:///elsewhere/1/{run_id}/artifacts\nend_time: {START + 1000}\nentry_point_name: ''\n"
        f"experiment_id: '1'\nlifecycle_stage: {stage}\nrun_id: {run_id}\nrun_name: merry-cat-1\n"
        f"start_time: {START}\nstatus: {status}\ntags: []\nuser_id: me\n"
    )
    (run / "params" / "lr").write_text("0.001")
    (run / "tags" / "mlflow.note.content").write_text("two\nlines")
    (run / "tags" / "mlflow.parentRunId").write_text(SECOND)
    (run / "metrics" / "val" / "auc").write_text(
        f"{START} 0.5 0\n{START + 1} nan 1\n{START + 2} inf 2\n{START} 0.25\n"
    )
    (run / "artifacts" / "plots" / "roc.txt").write_text("curve")
    return run
