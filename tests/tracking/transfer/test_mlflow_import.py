"""Runs of MLflow's database and of its folder become runs of a store; whatever is damaged or hostile costs itself."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import Say
from mlflow_stores import FIRST, LARGEST, SECOND, START, Database, write_folder_run

from tracking import ExperimentTracker, TrackingError
from tracking.transfer import import_from_mlflow
from tracking.transfer.mlflow.translation import ERROR, FILES, NAMES, STEPS, UID


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "mlflow.db")


def values(tracker: ExperimentTracker, run_id: str, name: str) -> list[tuple[Any, str]]:
    run = tracker.get_run(run_id)
    assert run is not None
    return [(point["step"], str(point["value"])) for point in run["metrics"][name]]


def test_a_run_of_a_database_is_imported_with_points_parameters_tags_times_and_files(
    tracker: ExperimentTracker, base: Path, database: Database, tmp_path: Path
) -> None:
    artifacts = tmp_path / "elsewhere" / FIRST / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "model.bin").write_bytes(b"weights")
    database.add(
        FIRST,
        uri=artifacts.as_uri(),
        params={
            "lr": "0.001",
            "zip": "007",
            "dims": "[256, 128]",
            "on": "True",
            "none": "None",
            "text": "a b",
        },
        tags={"team": "ml", "n": "3", "mlflow.note.content": "why", "mlflow.user": "me"},
        points=[
            ("auc", 0.7, START + 2, 1, 0),
            ("auc", 0.6, START + 1, 0, 0),
            *(
                ("odd", value, START, step, is_nan)
                for step, (value, is_nan) in enumerate([(0, 1), (LARGEST, 0), (-LARGEST, 0)])
            ),
        ],
    )
    before = database.path.read_bytes()
    outcome = import_from_mlflow(base, database.path)
    assert (outcome.copied, outcome.points, outcome.damaged, outcome.left_out) == (
        {FIRST: "run_001"},
        5,
        {},
        {},
    )
    assert database.path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("mlflow.db*")) == ["mlflow.db"]
    run = tracker.get_run("run_001")
    assert run is not None
    assert run["params"] == {
        "lr": 0.001,
        "zip": "007",
        "dims": [256, 128],
        "on": True,
        "none": None,
        "text": "a b",
    }
    assert run["tags"] == {"team": "ml", "n": "3", "mlflow.user": "me", "mlflow.runName": "merry-cat-1"}
    assert (run["description"], run["status"], run["experiment_name"]) == ("why", "completed", "ctr_model")
    assert values(tracker, "run_001", "auc") == [(0, "0.6"), (1, "0.7")]
    assert values(tracker, "run_001", "odd") == [(0, "nan"), (1, "inf"), (2, "-inf")]
    record = tracker.record("run_001")
    assert record is not None
    assert record.created_at.timestamp() == START / 1000
    assert record.finished_at is not None
    assert record.finished_at.timestamp() == START / 1000 + 1
    assert record.summary["auc"].max == 0.7
    assert (base / "runs" / "run_001" / "artifacts" / "model.bin").read_bytes() == b"weights"


def test_a_folder_of_older_versions_is_imported_wherever_it_was_moved(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    write_folder_run(tmp_path / "mlruns", FIRST)
    outcome = import_from_mlflow(base, tmp_path / "mlruns")
    assert (outcome.copied, outcome.points, outcome.damaged) == ({FIRST: "run_001"}, 4, {})
    run = tracker.get_run("run_001")
    assert run is not None
    assert (run["experiment_name"], run["params"], run["description"]) == (
        "ctr: model",
        {"lr": 0.001},
        "two\nlines",
    )
    assert run["tags"]["mlflow.parentRunId"] == SECOND
    assert sorted(values(tracker, "run_001", "val/auc")) == [(0, "0.25"), (0, "0.5"), (1, "nan"), (2, "inf")]
    assert (base / "runs" / "run_001" / "artifacts" / "plots" / "roc.txt").read_text() == "curve"


def test_a_run_is_imported_once_whichever_store_of_mlflow_holds_it(
    tracker: ExperimentTracker, base: Path, database: Database, tmp_path: Path
) -> None:
    database.add(FIRST)
    write_folder_run(tmp_path / "mlruns", FIRST)
    assert import_from_mlflow(base, database.path).copied == {FIRST: "run_001"}
    for source in (database.path, tmp_path / "mlruns"):
        again = import_from_mlflow(base, source)
        assert (again.copied, again.present) == ({}, {FIRST: "run_001"})
    tracker.delete_run("run_001")
    assert "in the trash as run_001" in import_from_mlflow(base, database.path).left_out[FIRST]


def test_deleted_runs_and_those_that_never_ended_are_imported_only_when_asked_for(
    tracker: ExperimentTracker, base: Path, database: Database, tmp_path: Path
) -> None:
    database.add(FIRST, stage="deleted")
    database.add(SECOND, status="RUNNING")
    outcome = import_from_mlflow(base, database.path)
    assert (outcome.copied, outcome.left_out) == (
        {},
        {SECOND: "it is running; if it has ended, add --running"},
    )
    outcome = import_from_mlflow(base, database.path, with_deleted=True, with_running=True)
    assert sorted(outcome.copied) == [FIRST, SECOND]
    assert {run.status.value for run in tracker.records()} == {"completed", "killed"}
    write_folder_run(tmp_path / "mlruns", "c" * 32, stage="deleted")
    assert import_from_mlflow(base, tmp_path / "mlruns").copied == {}


def test_a_run_that_our_export_sent_gets_back_its_id_names_types_steps_and_files(
    tracker: ExperimentTracker, base: Path, database: Database, tmp_path: Path
) -> None:
    own = tmp_path / "mlartifacts" / "1" / FIRST / "artifacts" / "podium"
    own.mkdir(parents=True)
    (own / "params.json").write_text(json.dumps({"loss@5": "1", "long": "x" * 7000, "lr": 5}))
    (own / "config.yaml").write_text("lr: 1\n")
    steps = {"f_1": {"steps": [[1, 0.5]], "without": [[2, 3]]}}
    (own / "sent.json").write_text(json.dumps({"steps": steps, "names": {"a_b": "a#b", "x": "../../x"}}))
    (own.parent / "a_b").write_text("mine")
    (own.parent / "x").write_text("stays")
    names = {"params": {"loss_5": "loss@5"}, "metrics": {"f_1": "f@1"}}
    database.add(
        FIRST,
        uri=f"mlflow-artifacts:/1/{FIRST}/artifacts",
        params={"loss_5": "1", "long": "x" * 6000, "lr": "0.1"},
        tags={
            UID: "run_007:abcd",
            NAMES: json.dumps(names),
            STEPS: "podium/sent.json",
            "mlflow.runName": "run_007",
        },
        points=[("f_1", 0.5, START, 1, 0), ("f_1", 0.6, START, 2, 0), ("f_1", 0.7, START, 3, 0)],
    )
    assert import_from_mlflow(base, database.path).copied == {FIRST: "run_007"}
    run = tracker.get_run("run_007")
    assert run is not None
    # the last one differs there, so what MLflow has counts
    assert run["params"] == {"loss@5": "1", "long": "x" * 7000, "lr": 0.1}
    assert run["tags"] == {}
    assert values(tracker, "run_007", "f@1") == [(0.5, "0.5"), (None, "0.6"), (None, "0.7")]
    assert (base / "runs" / "run_007" / "config.yaml").read_text() == "lr: 1\n"
    files = (base / "runs" / "run_007" / "artifacts").iterdir()
    assert sorted(path.name for path in files) == ["a#b", "x"]


def test_what_is_damaged_in_a_database_costs_itself_and_is_named(
    tracker: ExperimentTracker, base: Path, database: Database, say: Say
) -> None:
    database.add(
        FIRST,
        params={"ok": "1", "": "nameless", "blob": b"\xff"},
        tags={"line\nbreak": "x"},
        points=[
            ("auc", 0.5, START, 0, 0),
            ("auc", "text", START, 1, 0),
            ("auc", 0.5, 2**62, 2, 0),
            ("auc", 0.5, None, 3, 0),
        ],
    )
    database.add("../../evil")
    database.add(SECOND, status="FINISHED")
    database.sql("UPDATE runs SET status = 'DANCING' WHERE run_uuid = ?", SECOND)
    base.mkdir()
    code, out, err = say("import", str(database.path), "--store", str(base), "--json")
    told = json.loads(out)
    assert code == 1
    assert told["imported"] == {FIRST: "run_001"}
    assert sorted(told["left_out"]) == ["'../../evil'", SECOND]
    assert len(told["damaged"][FIRST]) == 6
    assert "its status is 'DANCING', which MLflow does not have" in err
    run = tracker.get_run("run_001")
    assert run is not None
    assert run["params"] == {"ok": 1}
    assert values(tracker, "run_001", "auc") == [(0, "0.5")]


def test_artifacts_elsewhere_are_named_and_no_other_folder_of_the_machine_is_copied(
    base: Path, database: Database, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "key").write_text("private")
    (tmp_path / FIRST).mkdir()
    (tmp_path / FIRST / "artifacts").symlink_to(secrets)
    inside = tmp_path / "mlruns" / "1" / SECOND / "artifacts"
    inside.mkdir(parents=True)
    (inside / "link").symlink_to(secrets / "key")
    (inside / "real").write_text("mine")
    database.add(FIRST, uri=secrets.as_uri())
    database.add(SECOND)
    database.add("c" * 32, uri=f"s3://bucket/1/{'c' * 32}/artifacts")
    database.add("d" * 32, uri=(tmp_path / FIRST / "artifacts").as_uri())
    outcome = import_from_mlflow(base, database.path)
    assert len(outcome.copied) == 4
    assert outcome.notes["artifacts at s3://bucket/ are not copied"] == ["c" * 32]
    assert [path.name for path in (base / "runs").rglob("artifacts/*")] == ["real"]


def test_links_and_damage_in_a_folder_cost_themselves(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    root = tmp_path / "mlruns"
    run = write_folder_run(root, FIRST)
    (tmp_path / "secret").write_text("private")
    (run / "params" / "stolen").symlink_to(tmp_path / "secret")
    (run / "params" / "bytes").write_bytes(b"\xff\xfe")
    (run / "params" / "huge").write_bytes(b"x" * ((1 << 20) + 1))
    (run / "metrics" / "bad").write_text(f"{START} 1 0\nno numbers here\n")
    write_folder_run(root, SECOND)
    (root / "1" / SECOND / "meta.yaml").write_text("name: [unclosed\n")
    (root / "1" / ("c" * 32)).mkdir()
    (root / "2").symlink_to(root / "1")
    outcome = import_from_mlflow(base, root)
    assert outcome.copied == {FIRST: "run_001"}
    assert sorted(outcome.left_out) == [SECOND, "c" * 32]
    assert len(outcome.damaged[FIRST]) == 4
    found = tracker.get_run("run_001")
    assert found is not None
    assert found["params"] == {"lr": 0.001}
    assert values(tracker, "run_001", "bad") == [(0, "1.0")]


def test_a_link_to_a_folder_elsewhere_is_not_followed(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    elsewhere = write_folder_run(tmp_path / "elsewhere", SECOND)
    root = tmp_path / "mlruns"
    run = write_folder_run(root, FIRST)
    for name in ("params", "tags", "metrics"):
        (run / name).rename(tmp_path / name)
        (run / name).symlink_to(elsewhere / name)
    (root / ".trash").symlink_to(tmp_path / "elsewhere")
    outcome = import_from_mlflow(base, root, with_deleted=True)
    assert (outcome.copied, outcome.left_out) == ({FIRST: "run_001"}, {})
    assert outcome.damaged == {FIRST: ["params (no folder)", "tags (no folder)", "metrics (no folder)"]}
    record = tracker.record("run_001")
    assert record is not None
    assert (record.params, record.summary) == ({}, {})


def test_what_claims_to_be_of_our_export_is_read_as_anything_else(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    run = write_folder_run(tmp_path / "mlruns", FIRST)
    (run / "tags" / UID).write_text("run_007:abc")
    (run / "tags" / ERROR).write_text("refused: api_key=hunter2abc")
    sent = run / "artifacts" / FILES
    sent.mkdir()
    (sent / "params.json").write_text('{"lr":' + "[" * 600 + "]" * 600 + "}")
    assert import_from_mlflow(base, tmp_path / "mlruns").copied == {FIRST: "run_007"}
    record = tracker.record("run_007")
    assert record is not None
    assert (record.params, record.error) == ({"lr": 0.001}, "refused: api_key=***")


def test_a_filter_and_an_experiment_choose_among_the_runs_of_mlflow(
    tracker: ExperimentTracker, base: Path, database: Database, say: Say
) -> None:
    for run_id, value in ((FIRST, 0.5), (SECOND, 0.9)):
        database.add(run_id, params={"lr": "0.1"}, points=[("auc", value, START, 0, 0)])
    base.mkdir()
    words = ("import", str(database.path), "--store", str(base))
    code, out, _ = say(*words, "--filter", "auc > 0.8 and lr < 1", "--dry-run")
    assert (code, out) == (0, f"Would import 1 run ({SECOND}) with 1 point\n")
    assert not (base / "runs").exists()
    code, out, err = say(*words, "--experiment", "other")
    assert (code, out) == (1, "")
    assert "no runs of an experiment 'other' in " in err
    code, out, _ = say(*words, "--filter", "auc > 0.8")
    assert (code, out.splitlines()[0]) == (0, f"Imported 1 run ({SECOND}) with 1 point")


def test_a_source_that_is_none_is_one_sentence_that_says_what_to_give(
    tmp_path: Path, base: Path, say: Say
) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with closing(sqlite3.connect(tmp_path / "other.db")) as sql, sql:
        sql.execute("CREATE TABLE t (a)")
    (tmp_path / "broken.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    write_folder_run(tmp_path / "project" / "mlruns", FIRST)
    base.mkdir()
    cases = {
        "http://localhost:5000": "is an address; give what the server keeps",
        "postgresql://me:hunter2@host/x": "'postgresql://***@host/x' is an address",
        "http://host/?token=hunter2": "token=***' is an address",
        "/dev/null": "is neither a file nor a folder; name mlruns or mlflow.db",
        str(
            tmp_path / "project" / "mlruns" / "1"
        ): f"a part of MLflow's folder; import {tmp_path}/project/mlruns, with",
        str(tmp_path / "project" / "mlruns" / "1" / FIRST): f"import {tmp_path}/project/mlruns, with",
        str(tmp_path / "notes.txt"): "is nothing that can be imported: podium: a store",
        str(tmp_path / "other.db"): "not one of MLflow: it has no table 'experiments'",
        str(tmp_path / "broken.db"): "cannot be read as a SQLite database",
        str(tmp_path / "project"): "is no store itself; import ",
        str(tmp_path / "absent"): "there is no file or folder",
    }
    for source, message in cases.items():
        code, out, err = say("import", source, "--store", str(base))
        assert code in (1, 2)
        assert out == ""
        assert message in err
        assert "hunter2" not in err
        assert err.count("\n") == 1
    (tmp_path / "store" / "runs").mkdir(parents=True)
    with pytest.raises(TrackingError, match="is no MLflow"):
        import_from_mlflow(base, tmp_path / "store")
    assert (
        "is for mlflow, and" in say("import", str(tmp_path / "store"), "--deleted", "--store", str(base))[2]
    )


def test_an_import_makes_its_store_and_names_an_end_before_the_start(
    tmp_path: Path, database: Database, say: Say
) -> None:
    database.add(FIRST)
    database.sql("UPDATE runs SET end_time = start_time - 100000000")
    code, out, err = say("import", str(database.path), "--store", str(tmp_path / "new"))
    assert (code, out.splitlines()[0]) == (1, f"Imported 1 run ({FIRST}) with 0 points")
    assert "its end, which is before its start" in err
    record = ExperimentTracker(tmp_path / "new").record("run_001")
    assert record is not None
    assert record.finished_at == record.created_at


def test_an_empty_folder_of_artifacts_is_a_loss_only_where_they_were_kept_elsewhere(
    base: Path, tmp_path: Path
) -> None:
    for run_id, uri in (
        (FIRST, f"file:///gone/mlruns/1/{FIRST}/artifacts"),
        (SECOND, f"s3://bucket/1/{SECOND}/artifacts"),
        ("c" * 32, f"file:///other/{'c' * 32}/artifacts"),
    ):
        run = write_folder_run(tmp_path / "mlruns", run_id)
        (run / "artifacts" / "plots" / "roc.txt").unlink()
        (run / "artifacts" / "plots").rmdir()
        text = (run / "meta.yaml").read_text().replace(f"file:///elsewhere/1/{run_id}/artifacts", uri)
        (run / "meta.yaml").write_text(text)
    outcome = import_from_mlflow(base, tmp_path / "mlruns")
    assert sorted(run for runs in outcome.notes.values() for run in runs) == [SECOND, "c" * 32]
