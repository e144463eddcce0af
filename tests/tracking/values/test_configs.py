"""Configs of OmegaConf as parameters: what cannot be resolved hides nothing else, and what Hydra derives is left out."""

import enum
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import setup_globals
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.base import Container

from hydra_plugins.podium.versions import register_resolver
from tracking import ExperimentTracker, InvalidValueError
from tracking.values.configs import Unresolved, parameters_of, read_config
from tracking.values.plain import plain

OUTPUT = "${hydra:runtime.output_dir}"


class Kernel(enum.Enum):
    LINEAR = 1
    RBF = 2


@dataclass
class Part:
    path: Path = Path("../data")
    raw: bytes = b"ab\xff"
    kernel: Kernel = Kernel.RBF
    either: int | str = 3
    maybe: float | None = None
    rates: list[float] = field(default_factory=lambda: [0.1, float("inf")])
    by_kernel: dict[Kernel, int] = field(default_factory=lambda: {Kernel.LINEAR: 2**70})


@pytest.fixture(autouse=True)
def resolvers() -> Iterator[None]:
    setup_globals()
    register_resolver("twice", lambda number: 2 * number)
    register_resolver("as_list", lambda *items: list(items))
    register_resolver("fails", lambda: 1 // 0)
    register_resolver("fresh", lambda: uuid.uuid4().hex)
    register_resolver("once", lambda: uuid.uuid4().hex, use_cache=True)
    yield
    for name in ("twice", "as_list", "fails", "fresh", "once"):
        OmegaConf.clear_resolver(name)


KEYS = st.text("abc", min_size=1, max_size=2)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text("a .{}", max_size=4)
    | st.binary(max_size=3)
)
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS | st.sampled_from([*Kernel, Path("a/b")]) | KEYS.map(lambda key: f"${{{key}}}"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
)  # fmt: skip


@given(TREES)
def test_what_can_be_resolved_reads_as_omegaconf_resolves_it(tree: dict[str, Any]) -> None:
    config = OmegaConf.create(tree)
    reading = read_config(config)
    assert repr(reading.written()) == repr(OmegaConf.to_container(config, enum_to_str=True))
    try:
        whole = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    except (ValueError, RecursionError):
        reading.resolved()  # which comes to an end
    else:
        assert repr(reading.resolved()) == repr(whole)


def test_every_kind_of_value_is_read() -> None:
    config = OmegaConf.merge(OmegaConf.structured(Part), {"maybe": "${either}"})
    assert read_config(config).resolved() == {
        "path": Path("../data"),
        "raw": b"ab\xff",
        "kernel": "RBF",
        "either": 3,
        "maybe": 3,
        "rates": [0.1, float("inf")],
        "by_kernel": {"LINEAR": 2**70},
    }
    assert plain(config, "x") == {
        "path": "../data",
        "raw": "b'ab\\xff'",
        "kernel": "RBF",
        "either": 3,
        "maybe": 3,
        "rates": [0.1, float("inf")],
        "by_kernel": {"LINEAR": 2**70},
    }


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("${nobody:1}", "Unsupported interpolation type nobody"),
        ("${nowhere}", "Interpolation key 'nowhere' not found"),
        ("${nowhere.at.all}", "not found"),
        ("${number.deeper}", "number"),
        ("${bad}", "Recursive interpolation|recursi|Interpolation to parent"),
        ("${around}", "ecursive"),
        ("${empty}", "Missing mandatory value"),
        ("${fails:}", "ZeroDivisionError"),
        ("${twice:${nowhere}}", "nowhere"),
        ("${oc.env:SURELY_NOT_SET}", "SURELY_NOT_SET"),
        (OUTPUT, "HydraConfig was not set"),
        ("???", "no value yet"),
        ("a ${twice:2} b ${nowhere}", "nowhere"),
    ],
)
def test_a_value_that_cannot_be_resolved_leaves_the_others_resolved(bad: str, why: str) -> None:
    config = OmegaConf.create(
        {
            "number": 2,
            "bad": bad,
            "around": "${bad}",
            "empty": "???",
            "good": "${twice:${number}}",
            "section": {"good": "${number}", "bad": "${bad}", "list": ["${bad}", "${.0}", "${number}"]},
            "copy": "${section}",
            "name": "n${number}_${section.good}",
        }
    )
    found = read_config(config).resolved()
    assert isinstance(found["bad"], Unresolved)
    assert re.search(why, found["bad"].why)
    assert found["bad"] == bad
    section = {"good": 2, "bad": "${bad}", "list": ["${bad}", "${.0}", 2]}
    rest = {"good": 4, "section": section, "copy": section, "name": "n2_2"}
    assert {key: found[key] for key in rest} == rest
    assert isinstance(found["copy"]["list"][1], Unresolved)


def test_sections_that_lead_into_each_other_come_to_an_end() -> None:
    config = OmegaConf.create({"a": {"x": "${b}", "n": 1}, "b": {"y": "${a}", "n": "${a.n}"}})
    found = read_config(config).resolved()
    assert found["a"]["n"] == found["b"]["n"] == 1
    assert "leads back to itself" in found["a"]["x"]["y"]["x"].why


@pytest.mark.parametrize(
    "derived",
    [
        OUTPUT,
        "${hydra:runtime.output_dir}/checkpoints",
        "${hydra:job.num}",
        "${hydra:job.id}",
        "${hydra:job.override_dirname}",
        "${hydra:job}",
        "${hydra:overrides.task}",
        "${hydra:sweep.dir}",
        "${hydra:run.dir}",
        "${hydra.job.num}",
        "${hydra.runtime.output_dir}",
        "run_${now:%H-%M-%S}",
        "${twice:${hydra:job.num}}",
        "${oc.decode:${hydra:job.num}}",
        "${paths.output}",
        "${paths.checkpoints}",
        "${paths[output]}/x",
        "${paths.${which}}",
        "${oc.select:paths.checkpoints}",
        "${oc.select:paths.checkpoints,none}",
    ],
)
def test_what_hydra_derives_for_each_job_is_no_parameter(derived: str) -> None:
    config = OmegaConf.create(
        {
            "lr": 0.1,
            "which": "output",
            "paths": {"output": OUTPUT, "checkpoints": "${.output}/checkpoints", "data": "data"},
            "only": {"derived": {"there": derived}},
            "callbacks": [{"dir": derived, "top": 3}, derived],
            "it": derived,
            "empty": {},
        }
    )
    assert parameters_of(config) == {
        "lr": 0.1,
        "which": "output",
        "paths": {"data": "data"},
        "callbacks": [{"top": 3}, derived],
        "empty": {},
    }
    assert read_config(config).written() == OmegaConf.to_container(config)


@pytest.mark.parametrize(
    "chosen", ["${hydra:runtime.choices.model}", "${hydra:runtime.cwd}", "${hydra:job.name}"]
)
def test_what_hydra_knows_of_all_jobs_alike_is_kept(chosen: str) -> None:
    assert parameters_of(OmegaConf.create({"name": chosen})) == {"name": chosen}


def test_hydras_own_section_is_no_parameter_and_one_of_that_name_is() -> None:
    from hydra.conf import HydraConf

    assert parameters_of(OmegaConf.create({"lr": 1, "hydra": OmegaConf.structured(HydraConf)})) == {"lr": 1}
    assert parameters_of(OmegaConf.create({"lr": 1, "hydra": {"heads": 9}})) == {
        "lr": 1,
        "hydra": {"heads": 9},
    }


def test_a_section_in_hydras_place_answers_where_no_job_runs_yet() -> None:
    hydra = OmegaConf.create({"runtime": {"choices": {"model": "big"}, "output_dir": "x"}, "job": {"num": 3}})
    config = OmegaConf.create(
        {"model": "${hydra:runtime.choices.model}", "n": "${hydra:job.num}", "b": "${n}"}
    )
    found = read_config(config, hydra).resolved()
    assert found == {"model": "big", "n": "${hydra:job.num}", "b": "${n}"}
    assert found["b"].why == "hydra:job.num is known in the job only"


def test_a_value_that_changes_when_it_is_read_again_counts_as_it_is_written() -> None:
    config = OmegaConf.create(
        {
            "a": "${fresh:}",
            "b": "${once:}",
            "c": "${twice:2}",
            "d": "${as_list:1,2}",
            "e": "${now:%Y}",
            "f": "x${a}",
            "g": {"x": 1, "y": "${.x}"},
            "h": {"x": "${fresh:}", "y": "${.x}"},
        }
    )
    before = config.b
    assert read_config(config).settled({}) == {
        "a": "${fresh:}",
        "b": "${once:}",
        "c": 4,
        "d": [1, 2],
        "e": "${now:%Y}",
        "f": "x${a}",
        "g": {"x": 1, "y": 1},
        "h": {"x": "${fresh:}", "y": "${.x}"},
    }
    assert config.b == before  # what the resolver remembered is still there


def test_threads_that_read_at_once_do_not_hear_of_each_other_and_leave_no_trace() -> None:
    untouched = Container._evaluate_custom_resolver, Container._resolve_node_interpolation
    together = threading.Barrier(2)
    register_resolver("meet", lambda: together.wait(20) and 1)
    read: dict[str, Any] = {}

    def reader(name: str, config: dict[str, Any]) -> Callable[[], None]:
        return lambda: read.update({name: parameters_of(OmegaConf.create(config))})

    threads = [
        threading.Thread(target=reader("derived", {"a": "${meet:}${now:%Y}", "b": 1})),
        threading.Thread(target=reader("chosen", {"a": "${meet:}", "b": 1})),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    OmegaConf.clear_resolver("meet")
    assert read["derived"] == {"b": 1}
    assert set(read["chosen"]) == {"a", "b"}
    assert (Container._evaluate_custom_resolver, Container._resolve_node_interpolation) == untouched


def test_a_run_is_started_with_a_config_as_it_is(tracker: ExperimentTracker) -> None:
    config = OmegaConf.create(
        {"lr": 0.1, "part": OmegaConf.structured(Part), "out": OUTPUT, "bad": "${nobody:}"}
    )
    tags = OmegaConf.create({"out": OUTPUT, "at": "${now:%Y}", "team": "ml"})
    with tracker.start_run("x", params=config, config=config, tags=tags) as run:
        run.log_params({"more": OmegaConf.create({"out": OUTPUT, "of": "it"}), "list": config.part.rates})
    params = tracker.record(run.run_id).params
    assert params == {
        "lr": 0.1,
        "part": plain(OmegaConf.structured(Part), "x"),
        "bad": "${nobody:}",
        "more": {"of": "it"},
        "list": [0.1, float("inf")],
    }
    assert set(tracker.record(run.run_id).tags) == {"out", "at", "team"}
    assert f"out: {OUTPUT}" in (run.run_dir / "config.yaml").read_text()
    (found,) = tracker.search_runs(f"part.by_kernel.LINEAR == {2**70} and part.path == '../data'")
    assert found.run_id == run.run_id
    assert tracker.search_runs(f"part.by_kernel.LINEAR == {2**70 + 1}") == []


def test_a_value_deep_in_a_config_that_cannot_be_kept_is_named(tracker: ExperimentTracker) -> None:
    for value, said in (
        (b"x" * 1001, "bytes of shape"),
        ("\udcff", "not valid Unicode"),
        (10**309, "numbers end at"),
    ):
        with pytest.raises(InvalidValueError, match=rf"parameter 'data\.parts\.raw' .*{said}"):
            tracker.start_run("x", params={"data": {"parts": [{"raw": value}]}})
