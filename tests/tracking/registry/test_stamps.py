"""The stamp of the models in a store, by which a reader knows that one has changed."""

import shutil
from pathlib import Path
from typing import Any

from tracking import (
    ModelRegistry,
    Verdict,
)
from tracking.registry import models_stamp

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


def test_the_stamp_of_the_models_changes_with_each_change_and_with_no_look(
    registry: ModelRegistry, make_run: Any, base: Path
) -> None:
    steps: dict[str, Any] = {
        "registered": lambda: registry.register("ctr", make_run(), objective=OBJECTIVE),
        "judged": lambda: registry.record_verdict(
            "ctr", 1, Verdict(False, "too low", ("too low",), "scores", {})
        ),
        "promoted": lambda: registry.promote("ctr", 1, reason="by hand"),
        "another version": lambda: registry.register(
            "ctr", make_run(0.9), objective={**OBJECTIVE, "value": 0.9}
        ),
        "another model": lambda: registry.register("net", make_run(), objective=OBJECTIVE),
        "gone": lambda: shutil.rmtree(base / "models" / "net"),
    }
    seen = [models_stamp(base)]
    for name, step in steps.items():
        step()
        registry.models()
        assert models_stamp(base) not in seen[-1:], name
        assert models_stamp(base) == models_stamp(base)
        seen.append(models_stamp(base))
    assert seen[-1] == seen[-3]
    assert len(set(seen)) == len(seen) - 1


def test_the_stamp_of_models_that_cannot_be_read_is_one_too(base: Path) -> None:
    assert models_stamp(base) == models_stamp(base)
    (base / "models").mkdir(parents=True)
    (base / "models" / "ctr").write_text("no folder")
    assert models_stamp(base)
