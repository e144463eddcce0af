"""The names of what a task returned."""

from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from tracking.values.returned import MOST_ITEMS, named

Scores = namedtuple("Scores", "loss acc")


@dataclass
class Result:
    loss: float
    scores: Any = None


class Number:
    def __float__(self) -> float:
        return 1.5


@pytest.mark.parametrize(
    "value", [0.5, 3, True, None, "text", b"", np.float32(1), np.ones(3), Number(), object()]
)
def test_a_single_value_has_no_name(value: Any) -> None:
    assert named(value) is None


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"loss": 0.3, "acc": 0.9}, {"loss": 0.3, "acc": 0.9}),
        ({"val": {"loss": 1, "top": [2, 3]}, 4: 5}, {"val.loss": 1, "val.top_0": 2, "val.top_1": 3, "4": 5}),
        ((0.3, 0.9), {"objective_0": 0.3, "objective_1": 0.9}),
        ([0.3], {"objective_0": 0.3}),
        ((0.3, {"acc": 0.9, "test": {"acc": 0.8}}), {"objective_0": 0.3, "acc": 0.9, "test.acc": 0.8}),
        ((0.3, Result(0.1)), {"objective_0": 0.3, "loss": 0.1, "scores": None}),
        (Scores(1, 2), {"loss": 1, "acc": 2}),
        (Result(1, Scores(2, "x")), {"loss": 1, "scores.loss": 2, "scores.acc": "x"}),
        (SimpleNamespace(loss=1), {"loss": 1}),
        (OmegaConf.create({"a": {"b": 1}}), {"a.b": 1}),
        (OmegaConf.create([1, 2]), {"objective_0": 1, "objective_1": 2}),
        ((), {}),
        ({}, {}),
        ([0.5] * (MOST_ITEMS + 1), {}),
    ],
)  # fmt: skip
def test_several_values_have_names(value: Any, names: dict[str, Any]) -> None:
    assert named(value) == names


def test_a_value_that_holds_itself_ends() -> None:
    itself: dict[str, Any] = {"loss": 1}
    itself["again"] = itself
    assert named(itself)["loss"] == 1
