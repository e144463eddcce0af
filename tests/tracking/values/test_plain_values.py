"""Objects as parameters: their plain values, equal in every process, and the data that is refused."""

import argparse
import collections
import dataclasses
import functools
import json
import math
import subprocess
import sys
import types
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tracking import ExperimentTracker, InvalidValueError
from tracking.values.jsontext import jsonable
from tracking.values.plain import flat, plain

ROOT = Path(__file__).parents[3]


class Colour(Enum):
    RED = "red"


class Bare:
    pass


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no text today")


class Holder:
    def __repr__(self) -> str:
        return f"Holder({object()!r})"


class BrokenItems(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items today")


class BrokenScalar:
    def item(self) -> float:
        raise KeyError("no number today")


class BrokenList(list[int]):
    def __iter__(self) -> Any:
        raise OSError("no elements today")


@dataclasses.dataclass
class Late:
    size: int
    shape: tuple[int, ...] = dataclasses.field(init=False)


@dataclasses.dataclass
class Layer:
    size: int
    activation: Any = math.tanh
    inner: "Layer | None" = None


Point = collections.namedtuple("Point", "x y")


class Model:
    """Has the methods of a pydantic model."""

    model_fields: dict[str, Any] = {}  # noqa: RUF012 - as pydantic has it

    def model_dump(self) -> dict[str, Any]:
        return {"lr": 0.1, "colour": Colour.RED}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({3, 1, 2}, [1, 2, 3]),
        (Colour.RED, "red"),
        (Layer(3), {"size": 3, "activation": "math.tanh", "inner": None}),
        (
            Layer(3, None, Layer(4, None)),
            {"size": 3, "activation": None, "inner": {"size": 4, "activation": None, "inner": None}},
        ),
        (Layer, f"{__name__}.Layer"),
        (Point(1, (2,)), {"x": 1, "y": [2]}),
        (argparse.Namespace(lr=0.1, dims=(1, 2)), {"lr": 0.1, "dims": [1, 2]}),
        (types.SimpleNamespace(a=1), {"a": 1}),
        (Model(), {"lr": 0.1, "colour": "red"}),
        (len, "builtins.len"),
        (plain, "tracking.values.plain.plain"),
        (lambda x: x, f"{__name__}.<lambda>"),
        (Bare(), f"{__name__}.Bare"),
        (Broken(), f"{__name__}.Broken"),
        (Holder(), "Holder(<object object>)"),
        ({"a": BrokenItems(), "b": 1}, {"a": f"{__name__}.BrokenItems", "b": 1}),
        (BrokenScalar(), f"{__name__}.BrokenScalar"),
        (BrokenList([1]), f"{__name__}.BrokenList"),
        (Late(3), {"size": 3}),
        (Mock(), "<Mock>"),
        (MagicMock(), "<MagicMock>"),
        (Mock(spec=dict), "unittest.mock.Mock"),
        (Fraction(1).limit_denominator, "fractions.Fraction.limit_denominator"),
        ([].append, "list.append"),
        (math, "math"),
        (
            functools.partial(math.pow, 2, y=Colour.RED),
            {"_target_": "math.pow", "_partial_": True, "_args_": [2], "y": "red"},
        ),
        (b"ab\xff", "b'ab\\xff'"),
        (memoryview(b"ab"), "b'ab'"),
        (1 + 2j, "(1+2j)"),
        (Decimal("0.10"), "0.10"),
        (Fraction(1, 4), "1/4"),
        (date(2024, 11, 15), "2024-11-15"),
        (range(3), [0, 1, 2]),
        (collections.deque([1]), [1]),
        (np.array(3.5), 3.5),
        (np.array([3]), [3]),
        (np.array([[3]]), [[3]]),
        (np.ma.array([1.0, 2.0], mask=[True, False]), [None, 2.0]),
        (np.arange(1000), list(range(1000))),
        (np.dtype("float32"), "float32"),
        (OmegaConf.create({"a": [1, "${b}"], "b": 2, "c": "???"}), {"a": [1, 2], "b": 2, "c": "???"}),
        (OmegaConf.create({"a": "${nowhere}"}), {"a": "${nowhere}"}),
        (OmegaConf.create([1, {"a": 2}]), [1, {"a": 2}]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_becomes_what_json_can_keep(value: Any, expected: Any) -> None:
    assert plain(value, "parameter 'x'") == expected
    assert json.loads(json.dumps(jsonable(expected))) == expected


def test_tensors_and_their_kinds_are_plain() -> None:
    torch = pytest.importorskip("torch")
    weights = torch.tensor([1.0, 2.0], requires_grad=True)
    assert plain({"w": weights, "type": torch.float32, "at": torch.device("cpu")}, "x") == {
        "w": [1.0, 2.0],
        "type": "torch.float32",
        "at": "cpu",
    }


def test_a_tensor_without_numbers_of_its_own_becomes_the_name_of_its_class() -> None:
    torch = pytest.importorskip("torch")
    for tensor in (torch.eye(2).to_sparse(), torch.empty(2, device="meta"), torch.empty((), device="meta")):
        assert plain(tensor, "x") == "torch.Tensor"


def test_a_masked_number_is_not_the_number_below_the_mask() -> None:
    assert math.isnan(plain(np.ma.masked, "x"))
    assert math.isnan(plain(np.ma.array(7, mask=True), "x"))
    assert plain(np.ma.array(7, mask=False), "x") == 7


class BrokenLayer(Late):
    shape = property(lambda self: 1 // 0)  # type: ignore[assignment]  # that it is no tuple is the point


@pytest.mark.parametrize("params", [BrokenItems(), BrokenLayer(3)])
def test_parameters_whose_own_code_fails_are_refused_with_what_it_raised(
    tracker: ExperimentTracker, params: Any
) -> None:
    run_id = tracker.create_run("x")
    with pytest.raises(InvalidValueError, match=r"parameters cannot be read: their own code raised \w+Error"):
        tracker.log_params(run_id, params)


@pytest.mark.parametrize(
    ("value", "shape"),
    [(np.zeros((26, 40)), r"ndarray of shape \(26, 40\)"), (b"x" * 1001, r"bytes of shape \(1001,\)")],
)
def test_a_large_array_is_refused_as_a_parameter_with_its_shape_and_a_hint(
    tracker: ExperimentTracker, value: Any, shape: str
) -> None:
    run_id = tracker.create_run("x")
    with pytest.raises(InvalidValueError, match=f"parameter 'w' is a {shape}.*use log_artifact"):
        tracker.log_params(run_id, {"w": value})
    assert tracker.get_run(run_id)["params"] == {}


def test_a_record_that_holds_itself_is_refused() -> None:
    layer = Layer(1)
    layer.inner = layer
    with pytest.raises(InvalidValueError, match="'x' is nested more than 100 deep, or holds itself"):
        plain(layer, "'x'")


@pytest.mark.parametrize(
    "params", [argparse.Namespace(lr=0.1, dims=[1]), OmegaConf.create({"lr": 0.1, "dims": [1]})]
)
def test_arguments_and_configs_are_logged_as_they_come(tracker: ExperimentTracker, params: Any) -> None:
    run_id = tracker.create_run("x", tags=OmegaConf.create({"team": "ml"}))
    tracker.log_params(run_id, params)
    run = tracker.get_run(run_id)
    assert run["params"] == {"lr": 0.1, "dims": [1]}
    assert run["tags"] == {"team": "ml"}


def test_two_processes_write_the_same_text_for_the_same_objects() -> None:
    code = (
        "import functools, math, random, json\n"
        "from tracking.values.plain import plain\n"
        "class A: pass\n"
        "class B:\n    def f(self): pass\n"
        "values = [A(), A, A().__init__, B().f, lambda: 0, functools.partial(print, A()), (x for x in [1]),\n"
        "          {'b', 'a', 'c', 'd', ('e', 1)}, {A()}, random.Random().random, iter([1]), memoryview(b'a')]\n"
        "print(json.dumps(plain(values, 'x')))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(3)
    }
    assert len(said) == 1
    assert "0x" not in said.pop()


OBJECT = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.binary(max_size=20)
    | st.dates()
    | st.timedeltas()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(Layer, st.integers(0, 9), inner)
        | st.builds(Point, inner, inner)
        | st.builds(functools.partial, st.just(math.pow), inner)
        | st.dictionaries(st.text("ab"), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(OBJECT)
def test_what_is_plain_stays_as_it_is_and_json_keeps_it(value: Any) -> None:
    once = plain(value, "x")
    assert repr(plain(once, "x")) == repr(once)
    json.dumps(jsonable(once), allow_nan=False)


def test_an_enum_of_a_config_is_the_name_that_an_override_gives_it() -> None:
    config = OmegaConf.create({"colour": Colour.RED, "several": [Colour.RED]})
    assert plain(config, "config") == {"colour": "RED", "several": ["RED"]}


def test_nested_mappings_become_dotted_names_and_an_empty_one_is_a_value() -> None:
    nested = {"a": 1, "b": {"c": {2: [3]}, "d": {}}}
    assert flat(nested) == {"a": 1, "b.c.2": [3], "b.d": {}}
    assert list(flat(nested, "x.", with_groups=True)) == ["x.a", "x.b", "x.b.c", "x.b.c.2", "x.b.d"]
