"""Against the MLflow of the day, in an environment of its own: `make test-peers` installs it and runs this."""

import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.contestants import QUIET, Module
from tracking import ExperimentTracker, ModelRegistry
from tracking.transfer import import_from_mlflow

ROOT = Path(__file__).resolve().parents[3]
MLFLOW = Module.MLFLOW.interpreter
OURS = f"import sys; sys.path[:0] = [{str(ROOT)!r}]; sys.path.append({str(Path(orjson.__file__).parents[1])!r})\n"
COMMAND = f"{OURS}from tracking.cli.app import main\nsys.exit(main(sys.argv[1:]))"

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not MLFLOW.exists(), reason="MLflow is not installed here: make test-peers"),
]


def start(code: str, *words: str, **options: Any) -> "subprocess.Popen[str]":

    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [MLFLOW, "-c", code, *words], **{"env": {**os.environ, **QUIET}, **streams, **options}
    )


def run(code: str, *words: str, **options: Any) -> tuple[int, str, str]:
    process = start(code, *words, **options)
    out, err = process.communicate(timeout=280)
    return process.returncode, out, err


def export(store: Path, to: str, *words: str) -> dict[str, Any]:
    code, out, err = run(COMMAND, "export", "--store", str(store), "--to", to, "--json", *words)
    assert code == 0, err
    answer: dict[str, Any] = json.loads(out)
    return answer


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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "server").mkdir()
    words = [
        "server",
        "--backend-store-uri",
        f"sqlite:///{folder}/server/mlflow.db",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    code = "import sys; from mlflow.cli import cli; sys.exit(cli())"
    process = start(
        code,
        *words,
        cwd=folder / "server",
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
            break
        except OSError:
            time.sleep(0.2)
    yield url

    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def test_a_server_takes_all_that_a_database_does(server: str, store: Path, folder: Path) -> None:
    assert len(export(store, server)["created"]) == 3
    assert export(store, server)["points"] == 0
    back = import_from_mlflow(folder / "back from server", folder / "server" / "mlflow.db")
    assert len(back.copied) == 3
    assert_same(ExperimentTracker(store), ExperimentTracker(folder / "back from server"))


GOES_ON = """
import json
from pathlib import Path
from mlflow import MlflowClient
from tracking import ExperimentTracker, ModelRegistry
from tracking.transfer import export_to_mlflow

base, to = sys.argv[1:]
tracker, client = ExperimentTracker(base), MlflowClient(to)
def export(**options):
    return vars(export_to_mlflow(base, to=to, **options))
def start(experiment, **options):
    return tracker.start_run(experiment, capture_code=False, capture_output=False, **options)

with start("goes on", tags={"stays": "1", "goes": "2"}, description="why") as run:
    for step in (0, 100, 200):
        run.log({"loss": step / 10}, step=step)
    run.log({"none": 1.0})
    for name in ("model_best.pt", "plot#1.png", "plot#2.png", "q?a.txt", "a b.txt", "a%20b.txt"):
        run.log_text(name, name)
with start("deleted") as run:
    run.log({"x": 1}, step=0)
registry = ModelRegistry(base)
registry.register("m", "run_001", objective={"metric": "loss", "mode": "min", "value": 0})
registry.set_alias("m", "prod", 1, reason="best")
outcomes = [export()]
run_id = outcomes[0]["created"]["run_001"]
client.set_tag(run_id, "theirs", "stays")
client.delete_experiment(client.get_experiment_by_name("deleted").experiment_id)
with tracker.open_run("run_001") as run:
    run.log({"loss": 9.0}, step=0.5)
    run.log({"loss": 8.0}, step=250.5)
    run.log({"none": 2.0}, step=0)
    run.log_text("new", "new.txt")
run_json = Path(base, "runs", "run_001", "run.json")
entry = json.loads(run_json.read_text())
del entry["tags"]["goes"]
run_json.write_text(json.dumps({**entry, "description": ""}))
registry.remove_alias("m", "prod")
Path(base, "runs", "run_001", "artifacts", "a b.txt").unlink()
for experiment in ("deleted", "last"):
    with start(experiment) as run:
        run.log({"x": 1}, step=0)
outcomes += [export(dry_run=True), export(), export()]
found = client.get_run(run_id)
histories = {name: sorted((point.step, point.value) for point in client.get_metric_history(run_id, name)) for name in ("loss", "none")}
print(json.dumps([outcomes, histories, found.data.tags, client.get_registered_model("m").aliases]))
"""


@pytest.mark.parametrize("where", ["database", "server"])
def test_what_went_on_or_was_removed_is_brought_up_to_date(
    where: str, request: pytest.FixtureRequest, tmp_path: Path, folder: Path
) -> None:
    database = (folder / "server" if where == "server" else tmp_path) / "mlflow.db"
    to = request.getfixturevalue("server") if where == "server" else f"sqlite:///{database}"
    code, out, err = run(OURS + GOES_ON, str(tmp_path / "store"), to)
    assert code == 0, err
    outcomes, histories, tags, aliases = json.loads(out.splitlines()[-1])
    first, dry, second, third = outcomes
    assert histories == {
        "loss": [[0, 0.0], [100, 10.0], [200, 20.0], [201, 9.0], [202, 8.0]],
        "none": [[0, 1.0], [1, 2.0]],
    }
    assert (first["points"], second["points"], third["points"]) == (5, 4, 0)
    assert (list(second["created"]), list(second["updated"])) == (["run_004"], ["run_001"])
    for outcome in (dry, second, third):
        assert sorted(outcome["left_out"]) == ["run_002", "run_003"]
        assert (
            "its experiment 'deleted' is deleted in MLflow; to bring it back: "
            in outcome["left_out"]["run_003"]
        )
    assert second["files"] < first["files"]
    assert third["files"] == 0
    assert second["notes"]["MLflow keeps files that were removed here: a b.txt"] == ["run_001"]
    assert (tags["stays"], tags["theirs"]) == ("1", "stays")
    assert not {"goes", "mlflow.note.content"} & tags.keys()
    assert aliases == {}
    back = ExperimentTracker(tmp_path / "back")
    import_from_mlflow(back.base_dir, database, experiment_name="goes on")
    (record,) = back.records()
    files = {path.name for path in (record.run_dir / "artifacts").glob("*")} - {"podium"}
    assert files == {
        "model_best.pt",
        "plot#1.png",
        "plot#2.png",
        "q?a.txt",
        "a b.txt",
        "a%20b.txt",
        "new.txt",
    }
    metrics = (back.get_run(record.run_id) or {})["metrics"]
    assert [point["step"] for point in metrics["loss"]] == [0, 0.5, 100, 200, 250.5]
    assert [point["step"] for point in metrics["none"]] == [0, None]


def test_two_exports_at_once_bring_each_run_once(server: str, tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path / "store")
    for _ in range(12):
        with tracker.start_run("at once", capture_code=False, capture_output=False) as open_run:
            open_run.log({"x": 1}, step=0)
    # as on two machines, where no lock of one keeps the other waiting
    states = [{**os.environ, **QUIET, "XDG_STATE_HOME": str(tmp_path / name)} for name in ("one", "two")]
    words = ("export", "--store", str(tracker.base_dir), "--to", server)
    both = [start(COMMAND, *words, env=env) for env in states]
    assert [process.communicate(timeout=280)[1] for process in both] == ["", ""]
    told = run(
        "import json, sys; from mlflow import MlflowClient; c = MlflowClient(sys.argv[1]); e = c.get_experiment_by_name('at once')\n"
        "print(json.dumps([r.info.run_name for r in c.search_runs([e.experiment_id])]))",
        server,
    )[1]
    assert sorted(json.loads(told)) == [f"run_{number:03d}" for number in range(1, 13)]


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
