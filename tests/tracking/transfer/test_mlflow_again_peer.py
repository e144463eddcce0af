"""Against the MLflow of the day: what a further export brings up to date, and what two at once bring."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow_processes import COMMAND, NEEDS_MLFLOW, OURS, run, served, start

from benchmarks.contestants import QUIET
from tracking import ExperimentTracker
from tracking.transfer import import_from_mlflow

pytestmark = NEEDS_MLFLOW


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peer")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with served(folder / "server") as url:
        yield url


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
