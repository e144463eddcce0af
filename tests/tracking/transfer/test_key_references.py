"""References of a saved config to its own keys come to what OmegaConf makes of them, without it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tracking.transfer.key_references import settled

CONFIG = {
    "lr": 0.5,
    "none": None,
    "flag": True,
    "list": [1, {"x": "two"}, "${lr}"],
    "small": {"size": 3, "name": "s", "own": "${.size}"},
    "kind": "small",
    "chosen": "${${kind}}",
    "home": "${oc.env:NO_SUCH_VARIABLE}",
    "unset": "???",
}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${lr}", 0.5),
        ("${ lr }", 0.5),
        ("${none}", None),
        ("${list[0]}", 1),
        ("${list.1.x}", "two"),
        ("${list[2]}", 0.5),
        ("${small.own}", 3),
        ("${chosen.size}", 3),
        ("${chosen}", {"size": 3, "name": "s", "own": 3}),
        ("${${kind}.name}", "s"),
        ("a-${lr}-${flag}${none}", "a-0.5-TrueNone"),
        ("${.lr}", 0.5),
        ("plain $ {text}", "plain $ {text}"),
    ],
)
def test_a_reference_is_the_value_that_omegaconf_gives(written: str, value: Any) -> None:
    config = {**CONFIG, "x": written}
    assert settled(config)["x"] == value
    if not isinstance(value, dict):
        assert OmegaConf.create(config).x == value


def test_a_reference_from_within_is_relative_to_its_section() -> None:
    config = {"a": {"b": {"c": "${..d}", "e": "${...f}"}, "d": 1}, "f": 2}
    assert settled(config) == {"a": {"b": {"c": 1, "e": 2}, "d": 1}, "f": 2}
    assert OmegaConf.to_container(OmegaConf.create(config), resolve=True) == settled(config)


@pytest.mark.parametrize(
    "written",
    [
        "${x}",
        "${missing}",
        "${lr.x}",
        "${list[7]}",
        "${list[-1]}",
        "${....lr}",
        "${home}",
        "${unset}",
        "a-${home}",
        "a-${small}",
        "${lr",
        "${}",
        "\\${lr}",
        "${oc.env:HOME}",
        "${hydra:job.name}",
    ],
)
def test_what_cannot_be_followed_stays_as_it_is_written(written: str) -> None:
    assert settled({**CONFIG, "x": written})["x"] == written


@pytest.mark.parametrize("written", ["${now:%Y}", "runs/${hydra:runtime.output_dir}", "${hydra:job.num}"])
def test_what_hydra_derives_for_each_job_is_left_out(written: str) -> None:
    assert settled({"a": {"x": written, "y": "${.x}", "z": 1}, "l": [written]}) == {
        "a": {"z": 1},
        "l": [written],
    }


@pytest.mark.parametrize(
    "config",
    [
        {"k0": "x" * 1000, **{f"k{at + 1}": f"${{k{at}}}" * 2 for at in range(40)}},
        {"k0": 1, **{f"k{at + 1}": [f"${{k{at}}}"] * 2 for at in range(40)}},
        {"a": "x", "b": "${a}" * 100_000},
    ],
)
def test_references_that_multiply_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="more than 100000 values"):
        settled(config)


TEXTS = st.text("${}.:[]ab0\\ ", max_size=12)
TREES = st.recursive(
    TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab0"), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from("ab0"), TREES, max_size=3))
def test_any_text_comes_to_an_end(config: dict[str, Any]) -> None:
    assert json.dumps(settled(config))
