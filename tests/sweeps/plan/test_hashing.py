"""Keys of jobs: equal for equal configs, distinct for distinct ones, and what is recorded of a config reads back the same."""

import enum
import hashlib
import itertools
import json
import math
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hydra.core.utils import setup_globals
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.podium.versions import register_resolver
from sweeps import SettingsError
from sweeps.jobs import PlannedJob
from sweeps.plan.hashing import computed_from, hash_configs, plain_config
from sweeps.plan.plan import Plan
from sweeps.state.ledger import Ledger, replay
from tracking.values.configs import Unresolved

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$"), max_size=6)
ORDINARY = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
ODD = (
    st.integers(-(10**300), 10**300) | st.floats() | st.binary(max_size=3)
    | TEXT.map(Path) | st.sampled_from(["NaN", "null", "inf", "b'a'", "0x1", "path(\"a\")", "a"])
)  # fmt: skip


def nested(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[Any, Any]]:
    def inner(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(each, max_size=3) | st.dictionaries(keys, each, max_size=3)

    return st.dictionaries(
        TEXT.filter(lambda key: key != "hydra"), st.recursive(leaves, inner, max_leaves=5), max_size=3
    )


SAME_STORE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


class Kernel(enum.Enum):
    RBF = 2


@pytest.fixture(autouse=True)
def resolvers() -> Iterator[None]:
    setup_globals()
    register_resolver("fresh", lambda: uuid.uuid4().hex)
    register_resolver("makes", lambda: {1, 2})
    yield
    OmegaConf.clear_resolver("fresh")
    OmegaConf.clear_resolver("makes")


def config(**values: Any) -> DictConfig:
    """A composed config, Hydra's section included."""
    hydra = {"runtime": {"output_dir": "???", "cwd": "/here", "choices": {"model": "big"}}, "job": {"num": 0}}
    return OmegaConf.create({**values, "hydra": hydra})


def key(**values: Any) -> str:
    return hash_configs(config(**values)).key


@given(nested(ORDINARY, TEXT | st.integers(0, 9)))
def test_an_ordinary_config_has_the_key_that_version_0_1_0_gave_it(tree: dict[Any, Any]) -> None:
    text = orjson.dumps(tree, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    assert key(**tree) == hashlib.sha256(text).hexdigest()[:16]


def test_a_config_that_cannot_be_resolved_is_recorded_as_version_0_1_0_did() -> None:
    tree = {"lr": 0.1, "copy": "${lr}", "out": "${hydra:runtime.output_dir}"}
    text = orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)
    assert hash_configs(config(**tree)).written == hashlib.sha256(text).hexdigest()[:16]


@given(nested(ORDINARY | ODD, TEXT), nested(ORDINARY | ODD, TEXT))
def test_configs_have_the_same_key_only_if_they_are_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    def normal(value: Any) -> str:
        if isinstance(value, dict):
            return repr(sorted((name, normal(item)) for name, item in value.items()))
        return repr([normal(item) for item in value]) if isinstance(value, list) else repr(value)

    assert (key(**one) == key(**other)) == (normal(one) == normal(other))
    assert key(**one) == key(**dict(reversed(one.items())))


def test_values_that_are_nearly_the_same_have_keys_of_their_own() -> None:
    values = [
        None, "null", "None", math.nan, "nan", "NaN", math.inf, -math.inf, "inf", "Infinity", 0, 0.0, -0.0, False, "", 1, 1.0,
        True, "1", 2**63, 2**64, 2**64 + 1, -(2**64), str(2**64), float(2**64), 10**400, "a", Path("a"), b"a", "b'a'", [], {},
        [None], [math.nan], [math.inf], {"a": None}, {"a": math.nan}, [[]], [[math.nan]], Path("b"), b"\xff", "RBF",
    ]  # fmt: skip
    for one, other in itertools.combinations(values, 2):
        assert key(x=one) != key(x=other), (one, other)
        assert key(x=one, y=None) != key(x=None, y=one) or one is None
    assert key(x=Kernel.RBF) == key(x="RBF")  # which is how an override gives it
    assert key(x=[Path("a/"), math.nan]) == key(x=(Path("a"), float("nan")))


def test_other_objects_count_as_they_are_tracked() -> None:
    assert key(x="${makes:}") == key(x=[1, 2])


def test_what_differs_from_job_to_job_by_itself_is_no_part_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {
        "out": "${hydra:runtime.output_dir}", "ckpt": "${out}/x", "n": "${hydra:job.num}", "at": "${now:%f}",
        "id": "${fresh:}", "data": "${oc.env:DATA}", "lr": "${rate}", "rate": 1,
    }  # fmt: skip
    monkeypatch.setenv("DATA", "/a")
    one, again = hash_configs(config(**tree)), hash_configs(config(**tree))
    assert one == again
    assert key(**{**tree, "rate": 2}) != one.key
    monkeypatch.setenv("DATA", "/b")
    elsewhere = hash_configs(config(**tree))
    assert elsewhere.key != one.key
    assert elsewhere.written == one.written
    assert hash_configs(config(**tree, name="${hydra:runtime.choices.model}")).key == key(**tree, name="big")
    assert hash_configs(config(rate=1)).written is None


def test_ignored_sections_count_where_they_are_swept() -> None:
    ignores = frozenset({"paths"})
    here, there = (config(lr=1, paths={"data": path, "n": "${lr}"}) for path in ("a", Path("a")))
    assert hash_configs(here, ignores).key == hash_configs(there, ignores).key == key(lr=1)
    assert hash_configs(here).config_hash == hash_configs(here, ignores).config_hash
    assert hash_configs(here).config_hash != hash_configs(there).config_hash
    points = [{"paths.data": value} for value in (None, math.nan, math.inf, "a", 2**70)]
    for hashes in (
        [hash_configs(here, ignores, point).key for point in points],
        [hash_configs(here, ignores, point).written for point in points],
    ):
        assert len(set(hashes)) == len(points)


@SAME_STORE
@given(nested(ORDINARY | ODD, TEXT))
def test_a_plan_reads_back_as_it_was_written(tmp_path: Path, tree: dict[str, Any]) -> None:
    base = computed_from(config(**tree, lr="${hydra:runtime.output_dir}"))
    plan = Plan(
        "s",
        "",
        (),
        (),
        {"metric": None, "mode": "max", "at": "last"},
        None,
        1,
        config=base.values,
        written=base.written,
    )
    plan.save(tmp_path / "plan.json")
    back = Plan.read(tmp_path / "plan.json")
    assert (repr(back.config), repr(back.written)) == (repr(plan.config), repr(plan.written))
    assert json.loads((tmp_path / "plan.json").read_text())["config"] == back.config
    again = computed_from(config(**tree, lr="${hydra:runtime.output_dir}"))
    assert repr(again) == repr(base)


def test_values_are_readable_in_a_plan() -> None:
    base = computed_from(
        config(dir=Path("../data"), raw=b"ab" * 1000, big=[2**70], kernel=Kernel.RBF, deep={"x": -math.inf})
    )
    assert base.values == {
        "dir": "../data", "raw": repr(b"ab" * 1000), "big": [2**70], "kernel": "RBF", "deep": {"x": "-Infinity"},
    }  # fmt: skip
    assert base.written is None


POINT_VALUES = st.recursive(
    ORDINARY | st.floats() | st.integers(-(10**300), 10**300),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


@SAME_STORE
@given(st.lists(st.dictionaries(TEXT, POINT_VALUES, max_size=2), min_size=1, max_size=3))
def test_jobs_read_back_from_the_ledger_as_they_were_asked(
    tmp_path: Path, points: list[dict[str, Any]]
) -> None:
    jobs = [
        PlannedJob(number, ("a=1",), point, "k", "h", "w" if number else None)
        for number, point in enumerate(points)
    ]
    path = tmp_path / "jobs.jsonl"
    path.unlink(missing_ok=True)
    Ledger(path).ask(jobs)
    assert repr(replay(path).planned) == repr(jobs)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("\udcff", "not valid Unicode"),
        (10**309, "numbers end at"),
        ("${too_long:}", "more than 1000 elements"),
    ],
)
def test_a_value_that_cannot_be_kept_is_named_by_its_key(value: Any, said: str) -> None:
    np = pytest.importorskip("numpy")
    register_resolver("too_long", lambda: np.arange(1001))
    with pytest.raises(SettingsError, match=rf"^model\.parts\.1\.x .*{said}"):
        computed_from(config(model={"parts": [0, {"x": value}]}))
    OmegaConf.clear_resolver("too_long")


def test_values_that_only_the_job_knows_are_told_from_others() -> None:
    found = plain_config(
        config(
            a="${b}",
            b=1,
            out="${hydra:runtime.output_dir}",
            cwd="${hydra:runtime.cwd}",
            model="${hydra:runtime.choices.model}",
        )
    )
    assert (found["a"], found["cwd"], found["model"]) == (1, "/here", "big")
    assert isinstance(found["out"], Unresolved)


def test_what_comes_out_otherwise_each_time_is_known_in_the_job_only() -> None:
    draws = itertools.cycle([4, 4, 2])  # the same twice by chance
    register_resolver("draw", lambda: next(draws))
    register_resolver("once", lambda: uuid.uuid4().hex, use_cache=True)
    register_resolver("double", lambda x: 2 * x)
    fleeting = {"draw": "${draw:}", "once": "${once:}", "id": "${fresh:}", "at": "${now:%Y}", "twin": "${draw}",
                "part": {"mixed": "${lr}-${id}"}}  # fmt: skip
    found = plain_config(
        config(**fleeting, lr=3, twice="${double:${lr}}", kind="${hydra:runtime.choices.model}")
    )
    part = found.pop("part")
    assert [found.pop(name) for name in ("lr", "twice", "kind")] == [3, 6, "big"]
    assert found == {name: text for name, text in fleeting.items() if name != "part"}
    assert all(isinstance(value, Unresolved) for value in (*found.values(), part["mixed"]))
    assert found["draw"].why == "it comes to another value each time it is asked"
    assert found["at"].why == "it is another one in each job"
    for name in ("draw", "once", "double"):
        OmegaConf.clear_resolver(name)
