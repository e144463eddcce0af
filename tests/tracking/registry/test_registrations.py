"""What a registration says of its runs is checked, and one that was cut off is completed by the next."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tracking import (
    ExperimentTracker,
    InvalidValueError,
    ModelRegistry,
    UnknownRunError,
)
from tracking.files import append, atomic

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


def test_an_objective_may_be_the_mean_over_runs_which_is_checked(
    registry: ModelRegistry, make_run: Any
) -> None:
    runs = [make_run(0.8), make_run(0.6)]
    mean = {**OBJECTIVE, "at": "best", "value": 0.7, "runs": runs}
    version = registry.register("ctr", runs[0], objective=mean)
    assert version.objective["runs"] == runs
    assert registry.register("ctr", runs[0], objective=mean).version == version.version
    for wrong, why in (
        ({"value": 0.8}, "which is 0.7"),
        ({"runs": [*runs, make_run(0.9)]}, "which is 0.766"),
    ):
        with pytest.raises(
            InvalidValueError, match=rf"is not the mean of the best val_auc of run_001, .*{why}"
        ):
            registry.register("ctr", runs[0], objective={**mean, **wrong})
    with pytest.raises(UnknownRunError):
        registry.register("ctr", runs[0], objective={**mean, "runs": ["run_999"]})


@pytest.mark.parametrize("value", [0.9, 0.8000001, math.nan, "0.8", True])
def test_an_objective_that_contradicts_its_run_is_refused(
    registry: ModelRegistry, make_run: Any, value: Any
) -> None:
    with pytest.raises(
        InvalidValueError,
        match=r"contradicts run run_001, whose val_auc is: last 0.8, min 0.8, max 0.8; give",
    ):
        registry.register("ctr", make_run(), objective={**OBJECTIVE, "value": value})
    assert registry.models() == []


def test_an_objective_may_be_the_last_value_or_an_extreme_of_its_run(
    registry: ModelRegistry, tracker: ExperimentTracker
) -> None:
    with tracker.start_run("x") as run:
        for value in (0.7, 0.9, math.nan, 0.8):
            run.log({"val_auc": value})
        (run.artifacts_dir / "model_best.pt").write_bytes(b"weights")
    for number, value in enumerate((0.7, 0.9, 0.8 + 1e-12)):
        registry.register(f"m{number}", run.run_id, objective={**OBJECTIVE, "value": value})
    assert len(registry.models()) == 3


def killed_at(monkeypatch: pytest.MonkeyPatch, place: str, call: Any) -> None:
    """Make a call that is cut off where it would write the file `place`, as by a kill."""

    def cut_off(path: Path, *arguments: Any, **options: Any) -> None:
        if path.name == place:
            raise KeyboardInterrupt
        write(path, *arguments, **options)

    write, append_chained = atomic.write_json, append.append_chained
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_json", cut_off)
        patch.setattr(
            append,
            "append_chained",
            lambda path, *rest, **options: (
                cut_off(path) if path.name == place else append_chained(path, *rest, **options)
            ),
        )
        with pytest.raises(KeyboardInterrupt):
            call()


@pytest.mark.parametrize("place", ["events.jsonl", "aliases.json"])
def test_a_registration_that_was_cut_off_is_completed_by_the_next(
    registry: ModelRegistry, make_run: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    run_id = make_run()
    killed_at(monkeypatch, place, lambda: registry.register("ctr", run_id, objective=OBJECTIVE))
    version = registry.register("ctr", run_id, objective=OBJECTIVE)
    assert [each.version for each in registry.versions("ctr")] == [version.version] == [1]
    assert [(event.kind, event.version) for event in registry.history("ctr")] == [("registered", 1)]
    assert registry.champion("ctr") is None


@pytest.mark.parametrize("place", ["events.jsonl", "aliases.json"])
def test_a_promotion_that_was_cut_off_is_completed_by_the_next(
    registry: ModelRegistry, make_run: Any, base: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    registry.register("ctr", make_run(), objective=OBJECTIVE)
    killed_at(monkeypatch, place, lambda: registry.promote("ctr", 1, reason="better"))
    registry.promote("ctr", 1, reason="better")
    assert [event.kind for event in registry.history("ctr")] == ["registered", "promoted"]
    assert json.loads((base / "models" / "ctr" / "aliases.json").read_text()) == {"champion": 1}


def test_aliases_that_are_behind_or_damaged_are_mended_by_the_next_registration(
    registry: ModelRegistry, make_run: Any, base: Path
) -> None:
    run_id = make_run()
    registry.register("ctr", run_id, objective=OBJECTIVE)
    registry.promote("ctr", 1, reason="better")
    for text in ("{}", '{"champion": 7}', "{ torn"):
        (base / "models" / "ctr" / "aliases.json").write_text(text)
        registry.register("ctr", run_id, objective=OBJECTIVE)
        assert json.loads((base / "models" / "ctr" / "aliases.json").read_text()) == {"champion": 1}
