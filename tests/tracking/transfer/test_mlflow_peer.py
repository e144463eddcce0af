"""Against the MLflow of the day, in an environment of its own: `make test-peers` installs it and runs this."""

import json
import re
import shlex
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow_processes import COMMAND, NEEDS_MLFLOW, OURS, ROOT, export, run, served, start

from tracking import ExperimentTracker, ModelRegistry
from tracking.transfer import import_from_mlflow

pytestmark = NEEDS_MLFLOW


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peer")


@pytest.fixture(scope="module")
def store(folder: Path) -> Path:
    """A store with all that MLflow cannot hold as it is."""
    tracker = ExperimentTracker(folder / "store")
    odd = {
        "lr": 1e-3,
        "dims": [256, 128],
        "on": True,
        "none": None,
        "text": "1",
        "a@b": 1,
        "../up": 2,
        "long": "x" * 7000,
    }
    for number in range(2):
        with tracker.start_run(
            "größe: 1", params=odd, tags={"team": "ml", "ok?": "y"}, description="two\nlines"
        ) as run:
            for step in range(30):
                run.log({"auc": 0.5 + step / 100 + number / 10, "loss%": 1 / (step + 1)}, step=step)
            run.log({"auc": 0.9})
            for value in (float("nan"), float("inf"), float("-inf"), 2.5):
                run.log({"odd": value}, step=7)
            run.log_text("weights", "model_best.pt")
            run.log_text("curve", "plots/roc é.txt")
    with tracker.start_run("other") as run:
        run.log({"x": 1}, step=0)
        run.finish("failed", "ValueError: too large")
    registry = ModelRegistry(tracker.base_dir)
    for run_id in ("run_001", "run_002"):
        registry.register(
            "ctr",
            run_id,
            objective={"metric": "auc", "mode": "max", "value": 0.9},
            loader="trainer:load_model",
        )
    registry.promote("ctr", 2, reason="better")
    registry.set_alias("ctr", "latest", 1, reason="a name that MLflow keeps for itself")
    return tracker.base_dir


@pytest.fixture(scope="module")
def exported(store: Path, folder: Path) -> dict[str, Any]:
    return export(store, str(folder / "mlflow.db"))


def assert_same(one: ExperimentTracker, other: ExperimentTracker) -> None:
    for listed in one.list_runs():
        here, there = one.get_run(listed["run_id"]), other.get_run(listed["run_id"])
        assert here is not None
        assert there is not None
        for name in here.keys() - {"run_dir", "metrics"}:
            assert here[name] == there[name], name
        for name, points in here["metrics"].items():
            found = [(point["step"], str(float(point["value"]))) for point in there["metrics"][name]]
            assert found == [(point["step"], str(float(point["value"]))) for point in points], name
        (files, copies) = (
            {
                path.relative_to(each.base_dir): path.read_bytes()
                for path in each.base_dir.glob(f"runs/{listed['run_id']}/artifacts/**/*")
                if path.is_file() and "podium" not in path.parts
            }
            for each in (one, other)
        )
        assert files == copies


def test_a_round_trip_through_a_database_keeps_everything(
    store: Path, folder: Path, exported: dict[str, Any]
) -> None:
    assert sorted(exported["created"]) == ["run_001", "run_002", "run_003"]
    assert exported["points"] == 131
    assert any("'a@b' became 'a_b'" in text for text in exported["notes"])
    back = import_from_mlflow(folder / "back", folder / "mlflow.db")
    assert (len(back.copied), back.points, back.damaged) == (3, 131, {})
    assert_same(ExperimentTracker(store), ExperimentTracker(folder / "back"))
    assert import_from_mlflow(store, folder / "mlflow.db").copied == {}


def test_mlflow_itself_reads_what_was_sent(folder: Path, exported: dict[str, Any]) -> None:
    code = f"""
import json, mlflow
from mlflow import MlflowClient
uri = "sqlite:///{folder}/mlflow.db"
mlflow.set_tracking_uri(uri)
client = MlflowClient(uri)
run = client.get_run({exported["created"]["run_002"]!r})
champion = client.get_model_version_by_alias("ctr", "champion")
path = mlflow.artifacts.download_artifacts("models:/ctr@champion")
print(json.dumps([run.info.status, run.info.run_name, run.data.metrics["auc"], run.data.params, run.data.tags["mlflow.note.content"],
    len(client.get_metric_history(run.info.run_id, "odd")), champion.version, open(path + "/model_best.pt").read(),
    client.get_run({exported["created"]["run_003"]!r}).info.status, sorted(each.path for each in client.list_artifacts(run.info.run_id))]))
"""
    status, out, err = run(code)
    assert status == 0, err
    told = json.loads(out.splitlines()[-1])
    assert told[:3] == ["FINISHED", "run_002", 0.9]
    assert told[3]["dims"] == "[256, 128]"
    assert told[4:] == ["two\nlines", 4, 2, "weights", "FAILED", ["model_best.pt", "plots", "podium"]]


def test_an_export_may_be_repeated_and_sends_only_what_is_new(
    store: Path, folder: Path, exported: dict[str, Any]
) -> None:
    with ExperimentTracker(store).open_run("run_003") as run:
        run.log({"x": 2}, step=1)
    again = export(store, f"sqlite:///{folder}/mlflow.db")
    assert (list(again["updated"]), again["points"], again["versions"]) == (["run_003"], 1, {})
    assert again["unchanged"] == {name: exported["created"][name] for name in ("run_001", "run_002")}


def test_an_interrupted_export_is_completed_by_the_next_one(folder: Path) -> None:
    tracker, database = ExperimentTracker(folder / "long"), folder / "long.db"
    for _ in range(40):
        with tracker.start_run("e", capture_code=False, capture_output=False) as open_run:
            open_run.log({"loss": 1.0}, step=0)
    process = start(COMMAND, "export", "--store", str(folder / "long"), "--to", str(database))

    def count() -> int:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as sql:
            return int(sql.execute("SELECT count(*) FROM metrics").fetchone()[0])

    while process.poll() is None:
        try:
            if count() > 2:
                break
        except sqlite3.Error:
            time.sleep(0.05)  # until MLflow has made its tables
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130
    assert err == "tracking: interrupted; what was sent is kept, and the next export completes it\n"
    rest = export(folder / "long", str(database))
    assert len(rest["created"]) + len(rest["updated"]) + len(rest["unchanged"]) == 40
    assert count() == 40


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with served(folder / "server") as url:
        yield url


def test_a_server_takes_all_that_a_database_does(server: str, store: Path, folder: Path) -> None:
    assert len(export(store, server)["created"]) == 3
    assert export(store, server)["points"] == 0
    back = import_from_mlflow(folder / "back from server", folder / "server" / "mlflow.db")
    assert len(back.copied) == 3
    assert_same(ExperimentTracker(store), ExperimentTracker(folder / "back from server"))


def test_what_mlflow_recorded_itself_is_imported_from_both_of_its_stores(folder: Path) -> None:
    code = """
import mlflow, sys
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("a name: with a colon, größer, # and more than eighty characters in it, so that YAML folds it")
with mlflow.start_run(run_name="parent") as parent, mlflow.start_run(nested=True, description="why") as run:
    mlflow.log_params({"lr": 1e-3, "text": "a"})
    for step in range(5):
        mlflow.log_metric("val/auc", step / 10, step=step)
    mlflow.log_metric("odd", float("nan"))
    mlflow.log_text("hello", "notes/a.txt")
"""
    for name in (f"sqlite:///{folder}/theirs.db", str(folder / "older" / "mlruns")):
        status, _, err = run(
            f"import os; os.environ['MLFLOW_ALLOW_FILE_STORE'] = 'true'\n{code}", name, cwd=folder
        )
        assert status == 0, err
    for number, source in enumerate((folder / "theirs.db", folder / "older" / "mlruns")):
        tracker = ExperimentTracker(folder / f"ours {number}")
        outcome = import_from_mlflow(tracker.base_dir, source)
        assert (len(outcome.copied), outcome.points, outcome.damaged) == (2, 6, {})
        child = next(each for each in tracker.records() if "mlflow.parentRunId" in each.tags)
        assert (child.params, child.description) == ({"lr": 0.001, "text": "a"}, "why")
        assert child.experiment_name.endswith("so that YAML folds it")
        assert child.summary["val/auc"].max == 0.4
        assert (child.run_dir / "artifacts" / "notes" / "a.txt").read_text() == "hello"


def test_a_place_without_mlflow_is_one_sentence(store: Path, folder: Path) -> None:
    (folder / "bad.db").write_text("hello")
    for to, message in (
        ("http://127.0.0.1:9", "no server answers at http://127.0.0.1:9"),
        (str(folder / "bad.db"), "is no SQLite database"),
        (str(folder / "new folder"), "MLflow no longer writes into folders"),
        (f"sqlite:///{folder}/absent/mlflow.db", "there is no folder"),
    ):
        code, out, err = run(COMMAND, "export", "--store", str(store), "--to", to)
        assert (code, out) == (1, "")
        assert message in err
        assert err.count("\n") == 1


def test_the_page_on_mlflow_can_be_followed(server: str, tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path / "experiments")
    with tracker.start_run("ctr_model", params={"lr": 0.1}, capture_code=False) as open_run:
        open_run.log({"val_auc": 0.9}, step=0)
    file_store = "import os; os.environ['MLFLOW_ALLOW_FILE_STORE'] = 'true'; import mlflow; mlflow.set_tracking_uri('mlruns'); mlflow.log_metric('x', 1)"
    assert run(file_store, cwd=tmp_path)[0] == 0
    page = (ROOT / "docs" / "mlflow.md").read_text().replace("http://localhost:5000", server)
    followed = 0
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        if language == "python":
            code, out, err = run(OURS + text, cwd=tmp_path)
            assert (code, out) == (0, "{} {}\n"), err
            followed += 1
            continue
        for program, *words in (shlex.split(line) for line in text.splitlines()):
            if program == "python":
                code, _, err = run(COMMAND, *words[2:], cwd=tmp_path)
                assert code == 0, err
                followed += 1
    assert followed == 7
    (imported,) = (record for record in tracker.records() if record.run_id != "run_001")
    assert imported.summary["x"].last == 1
