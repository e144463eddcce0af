"""Conditions over the config of a point: filters, and keys that are swept only where one holds."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_loader import ConfigLoader

from sweeps import SettingsError
from sweeps.settings.search_settings import Mode
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Expansion, Point, expand, read_space, values_of
from tracking.values.configs import Unresolved

Points = Callable[..., list[Point]]


def test_conditions_ask_the_config_for_what_no_override_says(expanded: Callable[..., Expansion]) -> None:
    found = expanded(
        "a=1,2", "b=1,2", filter="shape.kind == 'round' and a == 1", when={"b": "shape.sides is None"}
    )
    assert found.points == [("a=1", "b=1"), ("a=1", "b=2")]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"filter": "shap.kind == 1"}, r"filter: no job's config has shap\.kind; did you mean shape\.kind"),
        ({"filter": "a > 5 and shape.kin == 1"}, r"no job's config has shape\.kin; did you mean shape\.kind"),
        ({"filter": "a > 5"}, "filter: none of 4 points satisfies a > 5"),
        ({"when": {"b": "aa == 1"}}, r"when\.b: no job's config has aa"),
        ({"when": {"bb": "a == 1"}}, r"when\.bb: is not swept; did you mean b"),
        ({"when": {"b": "b == 1"}}, "when: these conditions depend on each other: b -> b"),
        ({"when": {"a": "b == 1", "b": "a == 1"}}, "depend on each other"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(
    expanded: Callable[..., Expansion], settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        expanded("a=1,2", "b=1,2", **settings)


KEYED = {
    "th": {1: 5, 2.5: 6, False: {3: [{4: 7}]}, "RED": 8, None: 9},
    "params": {"x": 1, "y": {"max": 2}},
    "metrics": {"y": 2, "z": {"best": 4}},
    "tags": ["new"],
    "status": "ok",
    "created_at": 3,
    "run_id": 10,
    "today": 4,
    "ago": 5,
    "x": 9,
}


@pytest.mark.parametrize(
    "condition",
    [
        "th.1 == 5", "th.2.5 == 6", "th.False.3.0.4 == 7", "th.RED == 8", "th['1'] == 5", "th.None == 9",
        "params.x == 1", "params.y.max == 2", "metrics.y == 2", "metrics.z.best == 4", "params is not None",
        "tags contains 'new'", "status == 'ok'", "created_at == 3", "run_id == 10 and run_id < 11", "today == 4",
        "ago == 5", "x == 9",
    ],
)  # fmt: skip
def test_a_condition_may_name_any_key_of_the_config(loader: ConfigLoader, condition: str) -> None:
    def kept(settings: dict[str, Any], *arguments: str) -> list[Point]:
        space = SpaceSettings({}, **settings)
        return expand(read_space(space, arguments, loader), space, lambda _point: KEYED).points

    assert kept({"filter": condition}, "a=1,2") == [("a=1",), ("a=2",)]
    assert len(kept({"filter": f"not ({condition}) or a == 1"}, "a=1,2")) == 1
    assert kept({"when": {"b": f"not ({condition})"}}, "a=1", "b=1,2") == [()]


def test_a_key_of_a_namespace_of_runs_is_swept_and_filtered_by_its_whole_name(
    expanded: Callable[..., Expansion],
) -> None:
    assert expanded("params.x=1,2", "x=1", filter="params.x == 2").points == [("params.x=2",)]
    with pytest.raises(SettingsError, match=r"no job's config has metrics\.nope"):
        expanded("x=1,2", filter="metrics.nope == 2")
    with pytest.raises(SettingsError, match="'ago' is not a function; a condition over a config has none"):
        expanded("x=1,2", filter="x > ago('7d')")


OUTPUT = Unresolved.of("${hydra:runtime.output_dir}", "hydra:runtime.output_dir is known in the job only")
ODD_CONFIG = {
    "out": OUTPUT,
    "todo": Unresolved.of("???", "it has no value yet"),
    "paths": {"data": Path("data"), "out": OUTPUT},
    "section": Unresolved.of("${nowhere}", "Interpolation key 'nowhere' not found"),
    "callbacks": [{"dir": OUTPUT}, 1],
    "raw": b"ab",
    "big": 2**70,
    "nothing": None,
    "limit": math.inf,
    "copy": 2,
}


@pytest.fixture(scope="module")
def among_odd_values(loader: ConfigLoader) -> Callable[..., list[Point]]:
    """The points of a=1,2 and b=3,4 that fulfil conditions, in a config with values of every kind."""

    def among_odd_values(**settings: Any) -> list[Point]:
        space = SpaceSettings({}, **settings)
        read = read_space(space, ["a=1,2", "b=3,4"], loader)
        return expand(read, space, lambda _point: ODD_CONFIG).points

    return among_odd_values


@pytest.mark.parametrize(
    "condition",
    [
        "copy == 2",
        "paths.data == 'data'",
        "paths is not None",
        "raw == \"b'ab'\"",
        f"big == {2**70} and big > {2**70 - 1}",
        "nothing is None",
        "limit > 1e300",
    ],
)
def test_conditions_see_each_value_beside_those_that_only_the_job_knows(
    among_odd_values: Callable[..., list[Point]], condition: str
) -> None:
    assert len(among_odd_values(filter=f"a == 1 and {condition}")) == 2
    assert len(among_odd_values(when={"b": condition})) == 4
    assert len(among_odd_values(when={"b": f"not ({condition})"})) == 2


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("out", r"\$\{hydra:runtime.output_dir\} and hydra:runtime.output_dir is known in the job only"),
        ("paths.out", "known in the job only"),
        ("todo", r"it is \?\?\? and it has no value yet"),
        ("section", "key 'nowhere' not found"),
        ("section.deep.inside", "key 'nowhere' not found"),
        ("callbacks", "known in the job only"),
    ],
)
def test_a_condition_on_what_only_the_job_knows_is_refused_by_its_name(
    among_odd_values: Callable[..., list[Point]], name: str, why: str
) -> None:
    with pytest.raises(SettingsError, match=rf"^filter: {name} has no value before its job runs.*{why}"):
        among_odd_values(filter=f"{name} == 'x' or a == 1")
    with pytest.raises(SettingsError, match=rf"^when\.b: {name} has no value before its job runs"):
        among_odd_values(when={"b": f"{name} is None"})


def test_conditions_on_conditional_keys_are_decided_in_their_order(points: Points) -> None:
    found = points("a=1,2", "b=1,2", "c=1,2", when={"c": "b == 2", "b": "a == 2"})
    assert found == [("a=1",), ("a=2", "b=1"), ("a=2", "b=2", "c=1"), ("a=2", "b=2", "c=2")]


def test_random_points_are_drawn_until_as_many_fulfil_the_conditions(
    expanded: Callable[..., Expansion],
) -> None:
    settings = {"mode": Mode.RANDOM, "n_trials": 6}
    found = expanded("a=1,2", "c=interval(0,1)", filter="a == 1 and c < 0.3", **settings)
    assert len(found.points) == 6
    assert all(values_of(point)["a"] == 1 and values_of(point)["c"] < 0.3 for point in found.points)
    few = expanded("a=1,2", "b=1,2", filter="a == 1", **settings)
    assert sorted(few.points) == [("a=1", "b=1"), ("a=1", "b=2")]
    assert few.notes == ("n_trials=6: the space has only 2 different points",)
