"""Hugging Face's Trainer logs into the run of the job, else into one of its own, and stops once that was asked to."""

import functools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trained import JOB, only

from tracking import ExperimentTracker, InvalidValueError, job_context
from tracking.process.job_gate import Gate, Verdict

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers warns of the machine


@pytest.fixture(scope="module")
def transformers() -> Any:
    pytest.importorskip("accelerate")
    return pytest.importorskip("transformers")


@pytest.fixture
def callback(transformers: Any, base: Path) -> Any:
    from tracking.integrations.huggingface import TrackingCallback

    return functools.partial(TrackingCallback, "tokens", store=base)


@pytest.fixture
def trainer(transformers: Any, tmp_path: Path) -> Any:
    """A trainer of a tiny BERT, with 4 steps an epoch, 3 epochs, and an evaluation after each."""
    import torch

    class Tokens(torch.utils.data.Dataset):
        tokens = torch.randint(1, 8, (32, 4), generator=torch.Generator().manual_seed(0))

        def __len__(self) -> int:
            return len(self.tokens)

        def __getitem__(self, row: int) -> dict[str, Any]:
            return {"input_ids": self.tokens[row], "labels": (self.tokens[row, 0] > 3).long()}

    def trainer(callback: Any, raises: BaseException | None = None, **arguments: Any) -> Any:
        def metrics(_told: Any) -> dict[str, Any]:
            if raises is not None:
                raise raises
            return {"accuracy": 0.5, "confusion": [[1, 2], [3, 4]]}

        config = transformers.BertConfig(
            vocab_size=8,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            max_position_embeddings=4,
        )
        known = {"eval_strategy": "epoch", "save_strategy": "no", "logging_steps": 2, "report_to": "none"}
        return transformers.Trainer(
            transformers.BertForSequenceClassification(config),
            transformers.TrainingArguments(
                str(tmp_path / "out"), use_cpu=True, disable_tqdm=True, **{**known, **arguments}
            ),
            train_dataset=Tokens(),
            eval_dataset=Tokens(),
            compute_metrics=metrics,
            callbacks=[callback],
        )

    return trainer


def test_a_training_logs_into_the_run_that_is_open_which_goes_on(
    tracker: ExperimentTracker, trainer: Any, callback: Any
) -> None:
    with tracker.start_run("ctr", params={"learning_rate": 1}) as run:
        trainer(callback(), learning_rate=0.25, hub_token="s3cret").train()
        assert only(tracker).status == "running"
    record, read = only(tracker), tracker.get_run(run.run_id)
    assert read is not None
    assert [point["step"] for point in read["metrics"]["loss"]] == [2, 4, 6, 8, 10, 12]
    assert [point["step"] for point in read["metrics"]["eval_accuracy"]] == [4, 8, 12]
    assert {"eval_loss", "train_runtime", "learning_rate", "epoch"} <= set(record.summary)
    assert "eval_confusion" not in record.summary
    assert record.params["learning_rate"] == 1
    assert record.params["huggingface.learning_rate"] == 0.25
    assert record.params["huggingface.model.hidden_size"] == 8
    assert record.params["huggingface.weights"] > 100
    assert not {"huggingface.output_dir", "huggingface.hub_token"} & set(record.params)


def test_alone_it_makes_one_run_which_an_evaluation_after_the_training_goes_on_with(
    tracker: ExperimentTracker, trainer: Any, callback: Any
) -> None:
    training = trainer(callback())
    assert tracker.records() == []
    training.train()
    assert only(tracker).status == "completed"
    training.evaluate(metric_key_prefix="final")
    assert (only(tracker).status.value, only(tracker).summary["final_accuracy"].count) == ("completed", 1)
    training.predict(training.eval_dataset)
    assert (only(tracker).status.value, only(tracker).summary["test_accuracy"].count) == ("completed", 1)


def test_a_further_training_has_a_run_of_its_own_and_in_a_block_all_have_one(
    tracker: ExperimentTracker, trainer: Any, callback: Any
) -> None:
    training = trainer(callback(), max_steps=1)
    training.train()
    training.train()
    assert len(tracker.records()) == 2
    with callback() as held:
        training = trainer(held, max_steps=1)
        training.train()
        training.train()
        held.run.log({"after": 1.0})
        assert tracker.records()[-1].status == "running"
    assert [record.status.value for record in tracker.records()] == ["completed"] * 3


def test_an_error_in_the_block_fails_the_run(tracker: ExperimentTracker, trainer: Any, callback: Any) -> None:
    with pytest.raises(ZeroDivisionError), callback() as held:
        trainer(held, ZeroDivisionError("no")).train()
    assert (only(tracker).status.value, only(tracker).error) == ("failed", "ZeroDivisionError: no")


def test_a_training_that_raised_is_ended_by_the_next_one(
    tracker: ExperimentTracker, trainer: Any, callback: Any
) -> None:
    mine = callback()
    with pytest.raises(ZeroDivisionError):
        trainer(mine, ZeroDivisionError("no")).train()
    assert only(tracker).status == "running"
    trainer(mine, max_steps=1).train()
    assert [record.status.value for record in tracker.records()] == ["ended", "completed"]


def test_each_trial_of_a_search_of_the_trainer_is_a_run(
    transformers: Any, tracker: ExperimentTracker, trainer: Any, callback: Any
) -> None:
    training = trainer(callback(), max_steps=1)
    config = training.model.config
    training.model_init = lambda: transformers.BertForSequenceClassification(config)
    training.hyperparameter_search(
        lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 0.1, 0.2)},
        n_trials=2,
        backend="optuna",
        compute_objective=lambda metrics: metrics["eval_loss"],
    )
    rates = [record.params["huggingface.trial.learning_rate"] for record in tracker.records()]
    assert len(set(rates)) == 2
    assert rates == [record.params["huggingface.learning_rate"] for record in tracker.records()]
    assert {record.status.value for record in tracker.records()} == {"completed"}


def test_a_run_that_is_asked_to_stop_stops_its_training(
    tracker: ExperimentTracker, trainer: Any, callback: Any
) -> None:
    with callback() as held:
        (held.run.run_dir / "stop").touch()
        training = trainer(held)
        training.train()
    assert training.state.global_step == 1
    assert only(tracker).status == "completed"


def test_a_job_that_its_sweep_stops_ends_as_pruned_after_the_value_it_is_judged_by(
    tracker: ExperimentTracker, trainer: Any, callback: Any
) -> None:
    with job_context(**JOB, gate=Gate(("eval_loss",), 2, lambda _run, _level: Verdict(False))):
        training = trainer(callback(), num_train_epochs=50)
        training.train()
        training.evaluate(metric_key_prefix="final")
    record = only(tracker)
    assert training.state.global_step == 8
    assert (record.status.value, record.summary["eval_loss"].count) == ("pruned", 2)
    assert record.summary["final_loss"].count == 1


@pytest.mark.parametrize("choice", [True, "all"])
def test_each_trial_of_a_search_keeps_its_own_checkpoints(
    transformers: Any, tracker: ExperimentTracker, trainer: Any, callback: Any, choice: Any
) -> None:
    training = trainer(callback(log_checkpoints=choice), max_steps=2, save_strategy="steps", save_steps=1)
    config = training.model.config
    training.model_init = lambda: transformers.BertForSequenceClassification(config)

    def search(**named: Any) -> None:
        training.hyperparameter_search(
            lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 0.1, 0.2)},
            n_trials=2,
            backend="optuna",
            compute_objective=lambda metrics: metrics["eval_loss"],
            **named,
        )

    search()
    search()  # into the same folders
    search(hp_name=lambda trial: f"rate/[{trial.number}]")
    assert len(tracker.records()) == 6
    for record in tracker.records():
        kept = sorted((record.run_dir / "artifacts" / "checkpoints").iterdir())
        assert [each.name for each in kept] == (
            ["best"] if choice is True else ["checkpoint-1", "checkpoint-2"]
        )
        for each in kept:
            trial = json.loads((each / "trainer_state.json").read_text())["trial_params"]
            assert trial == {"learning_rate": record.params["huggingface.learning_rate"]}


def test_a_checkpoint_that_is_not_there_is_told(
    transformers: Any,
    tracker: ExperimentTracker,
    callback: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = SimpleNamespace(
        is_world_process_zero=True, is_hyper_param_search=True, global_step=3, trial_name=None
    )
    with callback(log_checkpoints="all") as held:
        held.on_save(SimpleNamespace(output_dir=str(tmp_path)), state, None)
    assert only(tracker).status == "completed"
    assert caplog.messages == [
        f"run_001: the checkpoint {tmp_path / 'checkpoint-3'} is not kept: it is no folder"
    ]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (False, []),
        (True, ["best", "last"]),
        ("all", ["checkpoint-12", "checkpoint-4", "checkpoint-8"]),
    ],
)
def test_checkpoints_become_artifacts_the_best_and_the_last_or_all(
    tracker: ExperimentTracker, trainer: Any, callback: Any, choice: Any, names: list[str]
) -> None:
    best = {"metric_for_best_model": "accuracy", "load_best_model_at_end": True}  # it stays: the first
    trainer(callback(log_checkpoints=choice), save_strategy="epoch", save_total_limit=2, **best).train()
    folder = only(tracker).run_dir / "artifacts" / "checkpoints"
    assert sorted(each.name for each in folder.glob("*")) == names
    assert all((each / "model.safetensors").exists() for each in folder.glob("*"))


def test_another_choice_of_checkpoints_is_refused(callback: Any) -> None:
    with pytest.raises(InvalidValueError, match="log_checkpoints is 'best'; give True, False or 'all'"):
        callback(log_checkpoints="best")
