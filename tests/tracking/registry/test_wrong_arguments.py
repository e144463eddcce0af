"""Arguments of a wrong kind: each public method says so in an error of podium's own, and writes nothing."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from tracking import ModelRegistry, TrackingError, Verdict
from tracking.registry.looks import Look

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}
VERDICT = Verdict(False, "Not promoted.", ("it is worse",))
SAID = {"reason": "it is better", "by": "ann"}
# Each public method with arguments that are right, but for those that any value may be, such as a switch.
METHODS: dict[str, dict[str, Any]] = {
    "register": {"model_name": "m", "run_id": "run_001", "files": ["model_best.pt"], "objective": OBJECTIVE, "metrics": {}, "loader": None},
    "promote": {"name": "m", "version": 1, **SAID, "instead_of": None, "verdict": None},
    "rollback": {"name": "m", "to": 1, **SAID},
    "set_alias": {"name": "m", "alias": "staging", "version": 1, **SAID},
    "remove_alias": {"name": "m", "alias": "staging", **SAID},
    "archive": {"name": "m", "version": 2, **SAID},
    "unarchive": {"name": "m", "version": 2, **SAID},
    "remove": {"name": "m", "version": 2, **SAID},
    "record_verdict": {"name": "m", "version": 1, "verdict": VERDICT, "scores": None},
    "spend_look": {"name": "m", "version": 1, "split": "s", "key": "k", "by": None, "alpha": 0.05, "planned": None, "rows": (1, 2), "explained": 0.0},
    "looks_elsewhere": {"name": "m", "look": Look("s", "k"), "versions": (1,)},
    "refuse": {"name": "m", "version": 1, **SAID, "key": None, "verdict": None},
    "lineage": {"text": "m@1"},
    "export": {"text": "m@1", "target": "new.tar.gz", "by": None},
    "import_version": {"source": "new.tar.gz", "name": None, "by": None},
    "load": {"name": "m", "version": None, "allow": ()},
    "parts": {"text": "m@1"},
    "find": {"text": "m", "which": None},
    "locate": {"text": "m", "which": None},
    "versions": {"name": "m"},
    "archived": {"name": "m"},
    "version": {"name": "m", "number": 1},
    "origins": {"name": "m"},
    "champion": {"name": "m"},
    "aliases": {"name": "m"},
    "history": {"name": "m"},
    "history_faults": {"name": "m"},
    "verdict": {"name": "m", "version": None},
    "verdicts": {"name": "m", "version": None},
    "compare": {"one": "m@1", "other": "m@2"},
    "verify": {"text": "m"},
}  # fmt: skip
WITHOUT = {"models", "models_ever"}  # which take none
WRONG = [3.5, {"promote": True}, ["x", 3], b"x", object()]
RIGHT = {"metrics": dict, "scores": bytes}  # kinds of WRONG that an argument may have
CASES = [(method, name) for method, arguments in METHODS.items() for name in arguments]


@pytest.fixture
def judged(registry: ModelRegistry, make_run: Any) -> ModelRegistry:
    """A registry whose model m has two versions, of which the first is the champion and has an alias."""
    for auc in (0.8, 0.9):
        registry.register("m", make_run(auc), objective={**OBJECTIVE, "value": auc})
    registry.promote("m", 1, reason="the first")
    registry.set_alias("m", "staging", 1)
    return registry


def test_the_table_has_every_public_method() -> None:
    public = {name for name, _ in inspect.getmembers(ModelRegistry, callable) if not name.startswith("_")}
    assert public == METHODS.keys() | WITHOUT


@pytest.mark.parametrize(("method", "name"), CASES, ids=[f"{method}-{name}" for method, name in CASES])
def test_an_argument_of_a_wrong_kind_is_refused_before_anything_is_written(
    method: str, name: str, judged: ModelRegistry, base: Path
) -> None:
    before = sorted(base.rglob("*")), (base / "models" / "m" / "events.jsonl").read_bytes()
    for wrong in WRONG:
        if type(wrong) is RIGHT.get(name):
            continue
        with pytest.raises(TrackingError):
            getattr(judged, method)(**{**METHODS[method], name: wrong})
    assert (sorted(base.rglob("*")), (base / "models" / "m" / "events.jsonl").read_bytes()) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": [-1]},
        {"rows": [1 << 64]},
        {"rows": [True]},
        {"rows": b"xy"},
        {"explained": -0.1},
        {"explained": float("nan")},
        {"alpha": 0},
        {"alpha": True},
        {"planned": 0},
        {"planned": True},
    ],
    ids=str,
)
def test_a_look_with_a_value_out_of_its_range_is_not_spent(judged: ModelRegistry, wrong: Any) -> None:
    before = judged.history("m")
    with pytest.raises(TrackingError, match=next(iter(wrong))):
        judged.spend_look("m", 1, split="s", key="k", **wrong)
    assert judged.history("m") == before


def test_the_error_says_what_is_wrong_and_how_to_mend_it(judged: ModelRegistry) -> None:
    with pytest.raises(TrackingError, match=r"verdict is dict, not a Verdict; Verdict\.from_json makes one"):
        judged.record_verdict("m", 1, {"promote": True})  # type: ignore[arg-type]  # as a caller may
    with pytest.raises(TrackingError, match="by 7 is int, not text"):
        judged.archive("m", 2, by=7)  # type: ignore[arg-type]  # as a caller may
