"""A training function of the user is tracked, resumed, stopped, ranked and promoted as our training is."""

import json
import logging
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from own_models import final, only_run

from tracking import ExperimentTracker, ModelRegistry
from trainer import CheckpointError, ConfigError, load_model
from trainer.config import check
from trainer.job.resume import Checkpoint
from trainer.task import train

Compose = Callable[..., DictConfig]

FUNCTIONS = '''
import random

import numpy as np
import torch

from trainer import Checkpoint, build_model, fit, load_data, save_model


def ours(config, run):
    data = load_data(config, run)
    model = build_model(config, data)
    saved = Checkpoint.of(config, run)
    result = fit(
        model, data, torch.optim.Adam(model.parameters(), config.task.lr), epochs=2, batch_size=64,
        log=lambda metrics, epoch: run.log(metrics, step=epoch), begin=saved.restore, keep=saved.keep,
    )
    save_model(run, model, config, data)
    return result.value


def steps(config, run):
    """Fails in its third step unless an earlier attempt has come that far."""
    saved = Checkpoint.of(config, run)
    state = saved.load() or {"step": 0, "values": []}
    first = state["step"]
    for step in range(first, 5):
        if step == 3 and first == 0:
            raise RuntimeError("power cut")
        state = {"step": step + 1, "values": [*state["values"], config.task.lr * step]}
        run.log({"val_rmse": 10 - state["values"][-1]}, step=step + 1)
        saved.save(state)
        (saved.folder / "notes.txt").write_text(str(step))
    run.log_text(str(state["values"]), "model.txt")


def stops(config, run):
    for step in range(100):
        run.log({"val_auc": step / 100}, step=step)
        if step == 3:
            (run.run_dir / "stop").touch()
        if run.should_stop():
            return None


def draws(config, run):
    return {"a": random.random(), "b": np.random.rand(), "c": torch.rand(()), "note": "no number"}


def nothing(config, run):
    return None


def counts(config, run):
    data = load_data(config, run)
    return sum(1 for _ in range(config.training.epochs)) + config.scheduler.T_max


def fails(config, run):
    raise ValueError("no luck")


def of_one(config):
    return 0.0
'''


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_functions.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("own_functions", None)


def overrides(name: str, *more: str) -> list[str]:
    return [f"+task._target_=own_functions.{name}", "objective=default", "data.rows=1000", *more]


def test_our_parts_can_be_used_and_the_model_is_loaded_as_any_other(composed: Compose, store: Path) -> None:
    value = train(composed(*overrides("ours", "+task.lr=1e-2", "model.hidden_dims=[8]")))
    run = only_run(store)
    assert value == final(run)["objective"]
    assert run["status"] == "completed"
    assert run["params"]["task"] == "own_functions.ours"
    assert (run["params"]["lr"], run["params"]["hidden_dims"], run["params"]["seed"]) == (1e-2, [8], 0)
    (record,) = ExperimentTracker(store).records()
    assert str(record.fingerprint).startswith("sha256:")
    assert len(run["metrics"]["val_auc"]) == 2
    predictor = load_model(run["run_dir"])
    assert predictor.fingerprint == record.fingerprint
    assert not list((store / "runs" / "run_001" / "artifacts").glob("checkpoint*"))


def test_a_metric_that_the_objective_names_counts_by_its_best_value(composed: Compose, store: Path) -> None:
    more = ("objective.metric=val_auc", "objective.at=last")
    assert train(composed(*overrides("stops", *more))) == 0.03
    assert only_run(store)["status"] == "completed"


def test_a_returned_mapping_is_logged_and_what_is_random_depends_on_the_seed(
    composed: Compose, store: Path
) -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    first, again, other = (
        train(composed(*overrides("draws", "objective.metric=c", f"seed={seed}"))) for seed in (1, 1, 2)
    )
    assert first == again != other
    runs = ExperimentTracker(store).records()
    assert [sorted(each.summary) for each in runs] == [["a", "b", "c"]] * 3
    assert runs[0].last_values == runs[1].last_values
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


def test_a_function_that_gives_no_objective_is_told_what_is_missing(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert train(composed(*overrides("nothing"))) is None
        assert train(composed(*overrides("nothing", "objective.metric=val_r2"))) is None
    said = [each.getMessage() for each in caplog.records]
    assert any(
        "own_functions.nothing returned None, and objective.metric names no metric" in each for each in said
    )
    assert any("and no val_r2 was logged, so a sweep cannot rank this run" in each for each in said)


def test_what_is_auto_is_a_number_once_the_data_are_loaded(composed: Compose, store: Path) -> None:
    assert train(composed(*overrides("counts", "scheduler=cosine"))) == 192
    known = {"epochs": 96, "batch_size": 32, "T_max": 96, "ema": 0.98}
    assert known.items() <= only_run(store)["params"].items()


def test_an_error_fails_the_run(composed: Compose, store: Path) -> None:
    with pytest.raises(ValueError, match="no luck"):
        train(composed(*overrides("fails")))
    assert only_run(store)["status"] == "failed"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_functions.tarin", r"task\._target_=own_functions\.tarin: own_functions\.py defines no 'tarin'"),
        ("own_functions.step", r"did you mean stops\?|did you mean steps\?"),
        ("own_functions.of_one", r"is of_one\(config\); it is called with \(config, run\)"),
        ("own_functions.random", "is a module; name a function in it"),
        ("no_such_module.train", "there is no module 'no_such_module'"),
        ("train", "allowed is the dotted name of a function of the config and the run"),
        ("json.decoder", "is a module"),
    ],
)
def test_a_wrong_function_is_refused_before_a_run_is_made(
    composed: Compose, store: Path, name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check(composed(f"+task._target_={name}"))
    assert "own_functions" not in sys.modules
    assert not store.exists()


def test_a_function_may_bring_keys_and_sections_of_its_own_and_leave_ours_out(
    composed: Compose, store: Path
) -> None:
    more = ("+trees.depth=3", "+training.rounds=7", "~model", "~optimizer", "~scheduler")
    train(composed(*overrides("draws", "+task.lr=1", *more)))
    params = only_run(store)["params"]
    assert (params["trees.depth"], params["rounds"], params["lr"]) == (3, 7, 1)
    with pytest.raises(ConfigError, match=r"unknown key trees="):
        check(composed("+trees.depth=3"))
    with pytest.raises(ConfigError, match=r"unknown key promotion\.min_dleta"):
        check(composed(*overrides("draws", "+promotion.min_dleta=1")))


def test_a_state_holds_plain_values_tensors_and_arrays(tmp_path: Path) -> None:
    saved = Checkpoint(tmp_path)
    assert saved.load() is None
    generator = np.random.default_rng(0)
    state = {
        "step": 3,
        "weights": torch.ones(2),
        "table": np.arange(3.0),
        "scalar": np.float32(2.5),
        "generator": generator.bit_generator.state,
        "python": random.getstate(),
    }
    assert saved.save(state)
    assert not saved.save({"step": 4}, every_s=60)
    found = saved.load()
    assert found["table"].tolist() == [0, 1, 2]
    assert found["scalar"] == 2.5
    assert {**found, "table": 0, "weights": 0} == {**state, "table": 0, "weights": 0}
    with pytest.raises(CheckpointError, match=r"state\['inner'\]\[0\] is Checkpoint: .*checkpoint\.folder"):
        saved.save({"inner": [saved]})
    assert saved.load()["step"] == 3
    (tmp_path / "state.pt").write_bytes(b"no tensors")
    assert saved.load() is None


def test_a_sweep_of_a_function_is_retried_from_its_checkpoint_ranked_promoted_and_loaded(
    tmp_path: Path,
) -> None:
    conf = tmp_path / "my_conf" / "task"
    conf.mkdir(parents=True)
    (conf / "mine.yaml").write_text("_target_: own_functions.steps\nlr: 0.5\n")
    command = ("-m", "trainer", "--config-dir", "my_conf", "-m", "task=mine", "task.lr=0.5,1")
    more = ("objective.metric=val_rmse", "sweep.retries=1", "sweep.retry_on=[error]")
    answer = forked.run(*command, *more, kind="trainer", cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (board,) = tmp_path.glob("experiments/sweeps/*/leaderboard.json")
    rows = json.loads(board.read_text())["rows"]
    assert [(row["point"]["task.lr"], row["objective"]) for row in rows] == [(1, 6.0), (0.5, 8.0)]
    store = tmp_path / "experiments"
    records = ExperimentTracker(store).records()
    assert sorted(str(each.status) for each in records) == ["completed"] * 2 + ["failed"] * 2
    # The second attempt does only the steps that the first has not done.
    assert {each.summary["val_rmse"].count for each in records if each.status == "completed"} == {2}
    champion = ModelRegistry(store).champion("ctr_model")
    assert champion is not None
    assert (champion.path / "model.txt").read_text() == "[0, 1, 2, 3, 4]"
    assert not list(store.glob("runs/*/artifacts/checkpoint*"))
    shutil.rmtree(tmp_path / "experiments")
