"""What wrote a folder or a file is seen from it; options that do not fit are refused in a sentence."""

from pathlib import Path

import pytest
from command_line import Say
from wandb_writer import exit_code, log_of, run

from tracking import TrackingError
from tracking.transfer import SourceFormat, recognise
from tracking.transfer.tensorboard.event_messages import version_event
from tracking.transfer.tensorboard.frames import framed


def write_events(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1.x").write_bytes(framed(version_event(1.7e9)))


def write_wandb(folder: Path) -> None:
    place = folder / "wandb" / "offline-run-1-abc"
    place.mkdir(parents=True)
    (place / "run-abc.wandb").write_bytes(log_of([run(), exit_code(0)]))


def test_files_say_what_wrote_them(tmp_path: Path) -> None:
    write_events(tmp_path / "a" / "deep" / "run")
    write_wandb(tmp_path / "b")
    (tmp_path / "c").mkdir()
    (tmp_path / "d" / "runs").mkdir(parents=True)
    assert recognise(str(tmp_path / "a")) is SourceFormat.TENSORBOARD
    for place in ("b", "b/wandb", "b/wandb/offline-run-1-abc", "b/wandb/offline-run-1-abc/run-abc.wandb"):
        assert recognise(str(tmp_path / place)) is SourceFormat.WANDB
    for place in ("c", "d", "absent"):
        assert recognise(str(tmp_path / place)) is None
    assert recognise("http://localhost:5000") is None


def test_a_folder_of_two_programs_asks_which_one_is_meant(tmp_path: Path, base: Path, say: Say) -> None:
    write_events(tmp_path / "logs" / "run")
    write_wandb(tmp_path / "logs")
    with pytest.raises(
        TrackingError, match="holds runs of wandb and tensorboard; say which to import with --from"
    ):
        recognise(str(tmp_path / "logs"))
    words = ("import", str(tmp_path / "logs"), "--store", str(base), "--from")
    assert say(*words, "wandb")[1].startswith("Imported 1 run (offline-run-1-abc)")
    assert say(*words, "tensorboard")[1].startswith("Imported 1 run (run)")


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("logs/run/events.out.tfevents.1.x", "file"),
        ("empty.db", "file"),
        ("script.py", "file"),
        ("random.bin", "file"),
        ("broken.wandb", "file"),
        ("empty", "folder"),
    ],
)
def test_what_nothing_recorded_is_answered_with_what_can_be_imported(
    tmp_path: Path, base: Path, say: Say, place: str, kind: str
) -> None:
    write_events(tmp_path / "logs" / "run")
    for name, content in (("empty.db", b""), ("script.py", b"import x"), ("random.bin", bytes(range(256)))):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "broken.wandb").write_bytes(b"no")
    (tmp_path / "empty").mkdir()
    code, out, err = say("import", str(tmp_path / place), "--store", str(base))
    assert (code, out) == (1, "")
    assert f"the {kind} '{tmp_path / place}' is nothing that can be imported: podium: a store" in err
    assert all(f"{form}: " in err for form in SourceFormat)
    assert err.count("\n") == 1
    assert not base.exists()


def test_a_folder_named_runs_is_no_store_if_it_is_said_so(tmp_path: Path, base: Path, say: Say) -> None:
    write_events(tmp_path / "project" / "runs" / "a")
    words = ("import", str(tmp_path / "project"), "--store", str(base))
    assert say(*words)[1] == "Imported no runs\n"
    assert say(*words, "--from", "tensorboard")[1].startswith("Imported 1 run (runs/a)")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            ("logs", "--from", "comet"),
            "--from 'comet' is none of podium, mlflow, tensorboard, wandb, optuna, hydra",
        ),
        (("logs", "--from", "wandb"), "holds no run of W&B; give the folder wandb"),
        (
            ("logs", "--from", "hydra"),
            "holds no job of Hydra, which has a folder .hydra; give multirun or outputs",
        ),
        (("empty", "--from", "tensorboard"), "holds no event file of TensorBoard"),
        (
            ("absent", "--from", "tensorboard"),
            "there is no 'absent'; give the folder that tensorboard has recorded into",
        ),
        (("logs/run/events.out.tfevents.1.x", "--from", "tensorboard"), "is no folder; give the folder that"),
        (
            ("logs", "--from", "mlflow"),
            "'logs' is no MLflow: name its database (mlflow.db) or its folder (mlruns)",
        ),
        (("logs", "--running"), "--running is for mlflow, wandb, optuna, and 'logs' is none"),
        (("logs", "--deleted"), "--deleted is for mlflow, and 'logs' is none"),
        (("wandb", "--follow"), "--follow is for tensorboard, and 'wandb' is none"),
        (("logs", "--follow", "--filter", "acc > 1"), "--follow goes with neither --dry-run nor --filter"),
        (("http://host/x", "--from", "wandb"), "is no path on this machine"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    tmp_path: Path, base: Path, say: Say, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_events(tmp_path / "logs" / "run")
    write_wandb(tmp_path)
    (tmp_path / "empty").mkdir()
    code, out, err = say("import", *words, "--store", str(base))
    assert code in (1, 2)
    assert out == ""
    assert fault in err
    assert err.count("\n") == 1
