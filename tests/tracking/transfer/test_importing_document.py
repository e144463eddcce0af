"""The commands and snippets of docs/importing.md do what the page says."""

import re
import shlex
from pathlib import Path

import optuna
import pytest
from command_line import Say
from sqlalchemy.pool import NullPool
from wandb_writer import exit_code, log_of, row, run

from tracking import ExperimentTracker, active_run
from tracking.integrations.live import script_name
from tracking.transfer.tensorboard.event_messages import scalar_event, version_event
from tracking.transfer.tensorboard.frames import framed

PAGE = (Path(__file__).parents[3] / "docs" / "importing.md").read_text()
COMMANDS = [line for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in text.splitlines()]
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What each program has recorded, in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "a").mkdir(parents=True)
    events = framed(version_event(1.7e9)) + framed(scalar_event(1.7e9, 0, {"loss": 1.0}))
    (tmp_path / "runs" / "a" / "events.out.tfevents.1.x").write_bytes(events)
    (tmp_path / "wandb" / "offline-run-1-abc").mkdir(parents=True)
    records = [run(), row(0, {"loss": 1.0}), exit_code(0)]
    (tmp_path / "wandb" / "offline-run-1-abc" / "run-abc.wandb").write_bytes(log_of(records))
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    storage = optuna.storages.RDBStorage("sqlite:///study.db", {"poolclass": NullPool})  # leaves nothing open
    study = optuna.create_study(study_name="ctr", storage=storage)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    (tmp_path / "multirun" / "0" / ".hydra").mkdir(parents=True)
    (tmp_path / "multirun" / "0" / ".hydra" / "config.yaml").write_text("lr: 0.1\n")
    return tmp_path


def test_the_commands_of_the_page_run_and_import_all_runs(recorded: Path, say: Say) -> None:
    tracker = ExperimentTracker("experiments")
    with tracker.start_run("ctr_model") as mine:
        mine.log({"loss": 0.5}, 0)
    done = 0
    for command in COMMANDS:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "tracking"]
        if "--follow" not in words:  # which has a test of its own
            code, _, err = say(*words[3:])
            assert code == 0, err
            done += 1
    assert done == 6
    names = sorted(record.experiment_name for record in tracker.records())
    assert names == ["ctr", "ctr", "ctr_model", "hydra", "runs"]
    assert [path.name for path in (recorded / "logs").iterdir()] == ["run_001"]


def test_the_snippets_of_the_page_run(recorded: Path) -> None:
    for snippet in SNIPPETS:
        exec(compile(snippet, "importing.md", "exec"), {})
        if left := active_run():  # as the end of the process would
            left.finish()
    records = ExperimentTracker("experiments").records()
    names = ["runs", *["ctr"] * 5, "ctr_model", script_name(), "ctr_model"]
    assert [record.experiment_name for record in records] == names
    assert [record.last_values.get("loss") for record in records[-2:]] == [0.1, 0.1]
