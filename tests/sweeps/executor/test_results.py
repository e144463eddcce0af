"""What stock sweepers get back from a job: what the task returned, or as much of it as can travel."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn
from omegaconf import DictConfig

from sweeps.errors import JobsFailedError
from sweeps.executor.local.results import MAX_BYTES, plain_value
from sweeps.plan.hydra_versions import CARRIES_ERRORS


class Unloadable:
    def __reduce__(self) -> tuple[Callable, tuple]:
        return int, ("no number",)


def returned(kind: str) -> Any:
    return {
        "text": "foo",
        "several": (0.5, 2),
        "nested": {"scores": [1, 2], "name": "x"},
        "nothing": None,
        "large": {"loss": 0.5, "weights": "x" * (2 << 20)},
        "unpicklable": {"loss": 0.5, "lock": threading.Lock()},
        "unloadable": Unloadable(),
    }[kind]


@pytest.fixture
def result_of(
    hydra_sweep_runner: Callable, hydra_restore_singletons: None, tmp_path: Path
) -> Callable[..., JobReturn]:
    def result_of(task: Callable[[DictConfig], Any]) -> JobReturn:
        sweep = hydra_sweep_runner(
            calling_file=None,
            calling_module="hydra.test_utils.a_module",
            task_function=task,
            config_path="configs",
            config_name="compose.yaml",
            overrides=["hydra/launcher=podium"],
            temp_dir=tmp_path,
        )
        with sweep:
            ((result,),) = sweep.returns
            return result

    return result_of


@pytest.mark.parametrize("kind", ["text", "several", "nested", "nothing"])
def test_a_small_value_comes_back_as_it_is(result_of: Callable, kind: str) -> None:
    assert result_of(lambda _cfg: returned(kind)).return_value == returned(kind)


@pytest.mark.parametrize("kind", ["large", "unpicklable"])
def test_of_a_value_that_cannot_travel_the_numbers_come_back(result_of: Callable, kind: str) -> None:
    assert result_of(lambda _cfg: returned(kind)).return_value == {"loss": 0.5}


def test_a_value_that_cannot_be_loaded_is_left_out(result_of: Callable) -> None:
    result = result_of(lambda _cfg: returned("unloadable"))
    assert result.return_value is None
    assert result.overrides == []


def test_the_value_of_a_failed_job_raises(result_of: Callable) -> None:
    kind, text = (
        (ZeroDivisionError, "") if CARRIES_ERRORS else (JobsFailedError, "job 0 failed: ZeroDivisionError: ")
    )
    with pytest.raises(kind, match=f"^{text}division by zero$"):
        result_of(lambda _cfg: 1 / 0)  # Hydra's sweeper asks for it


def test_a_failed_job_whose_error_is_too_large_to_travel_is_named(result_of: Callable) -> None:
    def fails(_cfg: DictConfig) -> None:
        raise ValueError("x" * MAX_BYTES)

    with pytest.raises(JobsFailedError, match="job 0 failed: ValueError: xx"):
        result_of(fails)


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        (0.5, 0.5),
        ((0.5, 2), {"objective_0": 0.5, "objective_1": 2.0}),
        ((0.5, {"acc": 1, "name": "x"}), {"objective_0": 0.5, "acc": 1.0}),
        ({"val": {"loss": 0.5}, "best": True}, {"val.loss": 0.5}),
        ((), None),
        ("text", None),
        ([0.0] * 1_000, None),
    ],
)  # fmt: skip
def test_a_sweep_keeps_the_numbers_by_name(value: Any, numbers: Any) -> None:
    assert plain_value(value) == numbers
