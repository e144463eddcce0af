"""Trials of Optuna's studies become runs, from each kind of storage, which stays as it was."""

import json
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from command_line import Say
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.pool import NullPool

from tracking import ExperimentTracker, InvalidValueError
from tracking.errors import InvalidNameError
from tracking.transfer import Imported, SourceFormat, import_source, open_source, open_study, recognise


def objective(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -1, 1)
    trial.suggest_categorical("optimizer", ["adam", None, 3])
    trial.set_user_attr("note", "hi")
    trial.set_user_attr("many", [1, 2])
    for step in range(3):
        trial.report(x * step, step)
        if trial.number == 1 and step == 2:
            raise optuna.TrialPruned
    if trial.number == 2:
        raise ValueError("no")
    return x * x


def study_of(storage: Any, *, name: str = "ctr") -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.create_study(
        study_name=name, storage=storage, sampler=optuna.samplers.RandomSampler(seed=1)
    )
    study.optimize(objective, n_trials=3, catch=(ValueError,))
    return study


def database(path: Path) -> RDBStorage:
    """Return a storage that leaves no connection to the garbage collector, of which Python 3.13 warns."""
    return RDBStorage(f"sqlite:///{path}", {"poolclass": NullPool})


def journal(path: Path) -> JournalStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return JournalStorage(JournalFileBackend(str(path)))


@pytest.fixture(params=["study.db", "study.log"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "there" / str(request.param)
    path.parent.mkdir()
    study_of(database(path) if path.suffix == ".db" else journal(path))
    return path


def take(base: Path, place: str, **options: Any) -> Imported:
    return import_source(base, open_source(place, SourceFormat.OPTUNA, **options))


def test_trials_of_a_storage_become_runs_and_the_storage_stays_as_it_was(
    tracker: ExperimentTracker, base: Path, storage: Path
) -> None:
    before, files = storage.read_bytes(), sorted(storage.parent.iterdir())
    assert recognise(str(storage)) is SourceFormat.OPTUNA
    outcome = take(base, str(storage))
    assert str(storage) not in [file.path for file in psutil.Process().open_files()]
    assert outcome.copied == {"ctr/0": "run_001", "ctr/1": "run_002", "ctr/2": "run_003"}
    assert (outcome.left_out, outcome.damaged) == ({}, {})
    assert (storage.read_bytes(), sorted(storage.parent.iterdir())) == (before, files)
    complete, pruned, failed = tracker.records()
    assert [run.status.value for run in (complete, pruned, failed)] == ["completed", "pruned", "failed"]
    x = complete.params["x"]
    assert complete.experiment_name == "ctr"
    assert complete.last_values == {"intermediate_value": x * 2, "objective": x * x}
    assert complete.tags == {
        "optuna.study": "ctr",
        "optuna.trial": 0,
        "optuna.state": "complete",
        "note": "hi",
    }
    assert pruned.last_values["objective"] == pruned.params["x"] * 2  # the last value that it reported
    assert "objective" not in failed.last_values
    assert failed.error
    found = tracker.get_run("run_001")
    assert found is not None
    assert [point["step"] for point in found["metrics"]["intermediate_value"]] == [0, 1, 2]
    told = json.loads((base / "runs/run_001/artifacts/optuna-trial.json").read_text())
    assert told["distributions"]["x"]["attributes"] == {"step": None, "low": -1.0, "high": 1.0, "log": False}
    assert (told["directions"], told["user_attrs"]) == (["minimize"], {"note": "hi", "many": [1, 2]})
    assert take(base, str(storage)) == Imported(present=outcome.copied)


def test_nothing_is_written_beside_a_database_in_wal_mode(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "a ?b%41#" / "study.db"
    path.parent.mkdir()
    study_of(database(tmp_path / "study.db"))
    (tmp_path / "study.db").rename(path)
    before = sorted(tmp_path.iterdir())
    with closing(sqlite3.connect(path)) as sql:
        assert sql.execute("PRAGMA journal_mode=WAL").fetchall() == [("wal",)]
    assert recognise(str(path)) is SourceFormat.OPTUNA
    assert len(take(base, str(path)).copied) == 3
    assert [each.name for each in path.parent.iterdir()] == ["study.db"]
    assert sorted(tmp_path.iterdir()) == sorted([*before, base])
    with closing(sqlite3.connect(path)) as sql:  # which puts what it writes into study.db-wal
        sql.execute("UPDATE studies SET study_name = 'other'")
        sql.commit()
        assert list(take(base, str(path)).copied) == ["other/0", "other/1", "other/2"]


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///empty.db", "sqlite+pysqlite:///empty.db"])
def test_an_import_makes_no_tables(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("empty.db")) as sql:
        sql.execute("CREATE TABLE own (x)")
    before = Path("empty.db").read_bytes()
    with pytest.raises(InvalidValueError, match="cannot be read as a storage of Optuna"):
        take(base, address)
    assert Path("empty.db").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "fitted"),
    [
        ("weird \x1b name", "weird \\x1b name"),
        ("two\nlines\ttab", "two\\nlines\\ttab"),
        ("bidi \u202e x", "bidi \\u202e x"),
        ("  ", "unnamed"),
        ("été 漢字/x", "été 漢字/x"),
    ],
)
def test_a_study_whose_name_no_experiment_can_have_is_imported_under_it_escaped(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, say: Say, name: str, fitted: str
) -> None:
    study_of(database(tmp_path / "study.db"), name=name)
    words = ("import", str(tmp_path / "study.db"), "--store", str(base))
    code, out, err = say(*words)
    assert (code, err) == (0, "")
    assert out.startswith("Imported 3 runs (")
    assert {run.experiment_name for run in tracker.records()} == {fitted}
    assert {run.tags["optuna.study"] for run in tracker.records()} == {name}
    assert say(*words, "--experiment", fitted)[1].startswith("Imported no runs\nHere already: 3 runs")
    shown = say("show", "run_001", "--store", str(base))[1]
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert len([line for line in shown.splitlines() if line.startswith("Tags: ")]) == 1
    assert "optuna.state=complete" in shown.partition("Tags: ")[2].splitlines()[0]


def test_a_value_that_json_cannot_hold_costs_itself(base: Path) -> None:
    deep: Any = 1
    for _ in range(150):
        deep = [deep]
    attributes = {"deep": deep, "large": 10**400, "bytes": b"x" * 2000, "good": [1], "group": {"a": deep}}
    study = optuna.create_study(study_name="ctr")

    def odd(trial: optuna.Trial) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a choice that no database would take
            trial.suggest_categorical("kind", [object(), 10**400])
        trial.suggest_float("x", 0, 1)
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        return 1.0

    study.optimize(odd, n_trials=1)
    outcome = import_source(base, open_study(study))
    assert outcome.copied == {"ctr/0": "run_001"}
    assert [each for each in outcome.damaged["ctr/0"] if "optuna-trial" in each] == [
        f"'{name}' of optuna-trial.json, which is too deep or too large for it"
        for name in ("deep", "large", "bytes", "group")
    ]
    told = json.loads((base / "runs/run_001/artifacts/optuna-trial.json").read_text())
    assert told["user_attrs"] == {"good": [1]}
    assert told["distributions"]["x"]["attributes"]["high"] == 1
    assert "CategoricalDistribution" in told["distributions"]["kind"]


def test_a_study_at_hand_and_its_storage_are_the_same_runs(base: Path, tmp_path: Path) -> None:
    study = study_of(database(tmp_path / "study.db"))
    outcome = import_source(base, open_study(study))
    assert len(outcome.copied) == 3
    assert take(base, f"sqlite:///{tmp_path / 'study.db'}").present == outcome.copied


def test_several_objectives_have_the_names_that_the_study_gives_them(
    tracker: ExperimentTracker, base: Path
) -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.create_study(study_name="two", directions=["minimize", "maximize"])
    study.optimize(lambda trial: (trial.suggest_int("n", 1, 3), 2.5), n_trials=1)
    import_source(base, open_study(study))
    assert list(tracker.records()[0].last_values) == ["objective_0", "objective_1"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.set_metric_names(["loss", "auc"])
    study.optimize(lambda trial: (trial.suggest_int("n", 1, 3), 2.5), n_trials=1)
    assert import_source(base, open_study(study)).copied == {"two/1": "run_002"}
    assert list(tracker.records()[1].last_values) == ["loss", "auc"]


def test_trials_that_run_are_left_out_until_they_are_asked_for_and_those_that_wait_are_none(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, say: Say
) -> None:
    study = optuna.create_study(study_name="ctr", storage=database(tmp_path / "study.db"))
    study.ask().suggest_float("x", 0, 1)
    study.enqueue_trial({"x": 0.5})
    words = ("import", str(tmp_path / "study.db"), "--store", str(base))
    code, out, err = say(*words)
    assert (code, out) == (1, "Imported no runs\n")
    assert "left out ctr/0: the trial is running; if its process is gone, add --running" in err
    assert say(*words, "--running")[0] == 0
    assert [run.status.value for run in tracker.records()] == ["killed"]


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("absent.db", "there is no file 'absent.db'; give a storage of Optuna"),
        ("notes.txt", "is neither a database nor a journal of Optuna"),
        ("empty.db", "cannot be read as a storage of Optuna"),
        ("postgresql://me:hunter2@nowhere/x", r"'postgresql://me:\*\*\*@nowhere/x' cannot be read"),
    ],
)
def test_what_is_no_storage_is_refused_in_a_sentence_without_secrets(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.db").write_bytes(b"SQLite format 3\0" + bytes(4096))
    with pytest.raises((InvalidValueError, InvalidNameError), match=fault) as error:
        take(base, place)
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "absent.db").exists()
