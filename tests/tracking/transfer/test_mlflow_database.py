"""A database of MLflow is recognised by its tables, opened by its address or path, and left as it is."""

from pathlib import Path

import pytest
from mlflow_stores import FIRST, Database

from tracking import InvalidValueError, TrackingError
from tracking.transfer import import_from_mlflow, open_mlflow


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "mlflow.db")


def test_a_view_in_place_of_a_table_is_refused_before_it_runs(database: Database) -> None:
    database.sql("DROP TABLE metrics")
    database.sql(
        "CREATE VIEW metrics AS WITH RECURSIVE n(key) AS (SELECT 1 UNION ALL SELECT key FROM n) "
        "SELECT key, 1 AS value, 1 AS timestamp, 1 AS run_uuid, 1 AS step, 0 AS is_nan FROM n"
    )
    with pytest.raises(TrackingError, match="something else in place of the table 'metrics'"):
        open_mlflow(str(database.path))


def test_a_database_of_an_old_mlflow_is_named_with_what_it_lacks(database: Database) -> None:
    database.sql("DROP TABLE metrics")
    database.sql("CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT)")
    with pytest.raises(TrackingError, match="'metrics' lacks is_nan, step; bring a copy up to date"):
        open_mlflow(str(database.path))


def test_nothing_is_written_beside_a_database_in_wal_mode(base: Path, database: Database) -> None:
    database.add(FIRST)
    database.sql("PRAGMA journal_mode=WAL")
    before = sorted(database.path.parent.glob("*.db*"))
    assert before == [database.path]
    assert import_from_mlflow(base, database.path).copied == {FIRST: "run_001"}
    assert sorted(database.path.parent.glob("*.db*")) == before


def test_an_address_of_a_file_means_the_file(database: Database, tmp_path: Path) -> None:
    for source in (f"sqlite:///{database.path}", database.path.as_uri()):
        found = open_mlflow(source)
        assert found is not None
        found.close()
    with pytest.raises(InvalidValueError, match="is an address"):
        open_mlflow("postgresql://me@host/mlflow")
