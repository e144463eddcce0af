"""Text is text: members of StrEnum, numpy.str_ and other subclasses of str stand for the text that they hold."""

import enum
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Say
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import ExperimentTracker, InvalidNameError, ModelRegistry
from tracking.metrics.line import LineEncoder

COMPOSED, DECOMPOSED = "pr\u00e9cision", "pre\u0301cision"


class Odd(str):
    """A text whose class shows something else."""

    def __str__(self) -> str:
        return "odd"

    __repr__ = __str__
    __format__ = None  # type: ignore[assignment]


def of_str_enum(text: str) -> str:
    return enum.StrEnum("Member", {"M": text}).M


def of_mixed_enum(text: str) -> str:
    return enum.Enum("Member", {"M": text}, type=str).M


KINDS: list[Callable[[str], str]] = [str, np.str_, of_str_enum, of_mixed_enum, Odd]
kinds = pytest.mark.parametrize("kind", KINDS, ids=["str", "numpy", "StrEnum", "str and Enum", "subclass"])


@kinds
def test_every_name_and_id_may_be_of_any_kind_of_text(
    tracker: ExperimentTracker, tmp_path: Path, kind: Callable[[str], str]
) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    with tracker.start_run(
        kind("ctr"),
        tags={kind("team"): kind("ml"), "nested": {kind("a"): 1}},
        description=kind("a note"),
        params={kind("lr"): 0.1, "kind": kind("adam"), "nested": {kind("b"): [kind("c")]}},
        seeds={kind("torch"): 1},
        capture_output=False,
    ) as run:
        run.log({kind("auc"): 0.5}, step=0)
        run.log({"auc": 0.6}, step=1)
        run.log({kind("auc"): 0.7}, step=2)
        run.log_artifact(kind(str(tmp_path / "model.pt")), kind("model_best.pt"))
        run.set_tags({kind("draft"): True})
        run.remove_tags(kind("draft"))
    run_id = kind(run.run_id)
    tracker.log_metrics(run_id, {"auc": 0.8}, step=3)
    tracker.log_params(run_id, {kind("lr"): 0.2})
    tracker.finish_run(run_id, kind("completed"))
    found = tracker.get_run(run_id)
    assert found is not None
    assert json.loads(json.dumps(found)) == found
    assert found["experiment_name"] == "ctr"
    assert found["run_id"] == "run_001"
    assert found["description"] == "a note"
    assert found["tags"] == {"team": "ml", "nested": {"a": 1}}
    assert found["params"] == {"lr": 0.2, "kind": "adam", "nested": {"b": ["c"]}}
    assert [point["value"] for point in found["metrics"]["auc"]] == [0.5, 0.6, 0.7, 0.8]
    assert [each["run_id"] for each in tracker.list_runs(kind("ctr"))] == ["run_001"]
    assert tracker.record(run_id) == tracker.search_runs(kind("auc > 0.7"), order_by=kind("-auc"))[0]
    best = tracker.get_best_run(kind("auc"), kind("ctr"), kind("max"), at=kind("best"))
    assert best is not None
    assert best["run_id"] == "run_001"
    assert list(tracker.compare_runs([run_id])["auc"]) == [0.8]
    registry = ModelRegistry(kind(str(tracker.base_dir)))
    objective = {"metric": kind("auc"), "mode": kind("max"), "value": 0.8}
    files, loader = [kind("model_best.pt")], kind("trainer:f")
    version = registry.register(kind("ctr"), run_id, files=files, objective=objective, loader=loader)
    assert registry.register("ctr", "run_001", files=files, objective=objective, loader=loader) == version
    registry.promote(kind("ctr"), 1, reason=kind("good"), by=kind("me"))
    assert registry.champion("ctr") == version
    assert type(version.name) is str
    assert tracker.rename_experiment(kind("ctr"), kind("other")) == ["run_001"]
    other = tracker.create_run("x")
    tracker.finish_run(other)
    tracker.delete_run(kind(other))
    tracker.restore_run(kind(other))
    assert tracker.record(other) is not None


@given(
    names=st.lists(
        st.tuples(
            st.sampled_from(KINDS), st.sampled_from(["loss", "auc", "l\u00f6ss", "lo\u0308ss", "null", "x"])
        ),
        min_size=1,
        max_size=12,
    ),
    has_step=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_a_call_that_returns_has_kept_its_point(
    tracker: ExperimentTracker, names: list[tuple[Callable[[str], str], str]], has_step: bool
) -> None:
    run_id = tracker.create_run("x")
    expected: dict[str, list[float]] = {}
    for number, (kind, name) in enumerate(names):
        tracker.log_metrics(run_id, {kind(name): float(number)}, step=number if has_step else None)
        expected.setdefault(unicodedata.normalize("NFC", name), []).append(number)
    found = tracker.get_run(run_id)
    assert found is not None
    assert {name: [each["value"] for each in points] for name, points in found["metrics"].items()} == expected


@kinds
def test_an_encoder_never_returns_nothing_for_a_point(kind: Callable[[str], str]) -> None:
    encoder = LineEncoder()
    for step in (None, 0, 1):
        for name in ("loss", kind("loss"), kind("fresh"), kind("null")):
            assert json.loads(encoder.encode({name: 0.5}, step))["metrics"] == {str.__str__(name): 0.5}


def test_a_name_is_the_same_with_accents_written_as_one_character_or_as_two(
    tracker: ExperimentTracker, say: Say
) -> None:
    run_id = tracker.create_run(DECOMPOSED, tags={DECOMPOSED: 1})
    tracker.log_metrics(run_id, {COMPOSED: 0.5}, step=0)
    tracker.log_metrics(run_id, {DECOMPOSED: 0.6}, step=1)
    tracker.log_params(run_id, {COMPOSED: 1})
    tracker.log_params(run_id, {DECOMPOSED: 2})
    tracker.finish_run(run_id)
    found = tracker.get_run(run_id)
    assert found is not None
    assert (found["params"], found["tags"]) == ({COMPOSED: 2}, {COMPOSED: 1})
    assert [point["value"] for point in found["metrics"][COMPOSED]] == [0.5, 0.6]
    for name in (COMPOSED, DECOMPOSED):
        assert len(tracker.list_runs(name)) == 1
        best = tracker.get_best_run(name, name)
        assert best is not None
        assert best["run_id"] == run_id
        for query in (
            f"metrics.{name} > 0.5",
            f"metrics['{name}'].max == 0.6 and experiment == '{name}'",
            f"experiment in ['{name}'] and tags.{name} == 1 and params.{name} == 2",
        ):
            assert len(tracker.search_runs(query)) == 1
        store = ("--store", str(tracker.base_dir))
        assert run_id in say("list", name, *store)[1]
        assert say("plot", name, name, *store)[0] == 0
    tracker.open_run(run_id).remove_tags(DECOMPOSED)
    assert tracker.record(run_id).tags == {}


def test_two_values_for_one_name_are_refused_and_nothing_is_kept(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    for call in (
        lambda: tracker.log_metrics(run_id, {COMPOSED: 1.0, DECOMPOSED: 2.0}),
        lambda: tracker.log_params(run_id, {COMPOSED: 1, DECOMPOSED: 2}),
        lambda: tracker.open_run(run_id).set_tags({COMPOSED: 1, DECOMPOSED: 2}),
    ):
        with pytest.raises(InvalidNameError, match="two of these are the same"):
            call()
    found = tracker.get_run(run_id)
    assert found is not None
    assert (found["params"], found["metrics"], found["tags"]) == ({}, {}, {})


@pytest.mark.parametrize("is_finished", [False, True])
def test_names_that_earlier_versions_wrote_in_parts_are_found_and_continued(
    tracker: ExperimentTracker, is_finished: bool
) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {COMPOSED: 0.5}, step=0)
    tracker.log_params(run_id, {COMPOSED: 1})
    if is_finished:
        tracker.finish_run(run_id)
    tracker.open_run(run_id).release()
    for path in tracker.open_run(run_id).run_dir.iterdir():
        if path.is_file():
            path.write_text(path.read_text().replace(COMPOSED, DECOMPOSED))
    fresh = ExperimentTracker(tracker.base_dir)
    assert len(fresh.search_runs(f"metrics.{COMPOSED} == 0.5 and params.{DECOMPOSED} == 1")) == 1
    fresh.log_metrics(run_id, {COMPOSED: 0.6}, step=1)
    found = fresh.get_run(run_id)
    assert found is not None
    assert {name: len(points) for name, points in found["metrics"].items()} == {COMPOSED: 2}
    summary = fresh.record(run_id).summary
    assert summary[COMPOSED].count == 2


NAMES = {
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Hindi": "क्\u200dष सटीकता",
    "Arabic with marks": "دِقَّة\u200f",
    "emoji": "👩\u200d🔬 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "Japanese": "精度\u3000検証",
    "no-break space": "val\u00a0loss",
    "Thai": "ค่า\u200bสูญเสีย",
    "soft hyphen": "perfor\u00admance",
    "private use": "\ue000",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_may_be_of_any_script(tracker: ExperimentTracker, name: str) -> None:
    run_id = tracker.create_run(name, tags={name: name})
    tracker.log_metrics(run_id, {name: 1.0})
    tracker.log_params(run_id, {name: name})
    tracker.finish_run(run_id)
    (found,) = tracker.search_runs(f"metrics['{name}'] == 1 and params[\"{name}\"] == '{name}'")
    assert found.experiment_name == name
    assert found.tags == {name: name}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a\u202eb", "U\\+202E"),
        ("a\u2066b", "U\\+2066"),
        ("a\x85b", "U\\+0085"),
        ("a\x1b[31mb", "U\\+001B"),
        ("a\u2028b", "U\\+2028"),
        ("\u3000\u00a0", "but space"),
    ],
)
def test_what_is_refused_in_a_name_is_refused_with_its_reason(
    tracker: ExperimentTracker, name: str, why: str
) -> None:
    with pytest.raises(InvalidNameError, match=why):
        tracker.create_run(name)
    with pytest.raises(InvalidNameError, match="space" if "space" in why else why):
        ModelRegistry(tracker.base_dir).version(name, 1)


def test_a_name_that_the_run_knows_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = LineEncoder()
    encoder.encode({"loss": 0.5, COMPOSED: 0.5}, 0)
    monkeypatch.setattr(LineEncoder, "_encode_checked", None)
    for step in (1, None):
        assert json.loads(encoder.encode({"loss": 0.4, COMPOSED: 0.5}, step))["step"] == step
