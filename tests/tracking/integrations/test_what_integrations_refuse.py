"""What the callbacks and loggers of frameworks are given wrongly is refused by name, and a framework is imported when it is used."""

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trained import Fitted, recorded

from tracking import ExperimentTracker, InvalidValueError
from tracking.errors import InvalidNameError
from tracking.integrations.huggingface import Following
from tracking.integrations.lightning import Logging
from tracking.integrations.live import Live
from tracking.integrations.sklearn import log_search
from tracking.integrations.training import Training


def test_an_integration_imports_its_framework_when_it_is_used() -> None:
    frameworks = ("keras", "lightgbm", "sklearn", "xgboost")
    code = "; ".join(f"import tracking.integrations.{name}" for name in frameworks)
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(sorted(sys.modules))"],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(re.findall(r"'(\w+)[.']", answer.stdout))
    assert "tracking" in loaded
    assert not loaded & {*frameworks, "numpy", "torch"}


@pytest.mark.parametrize("name", ["keras", "xgboost"])
def test_a_framework_that_is_not_installed_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"tracking.integrations.{name}")
    monkeypatch.delitem(vars(module), "TrackingCallback", raising=False)
    for loaded in [each for each in sys.modules if each.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=name):
        module.TrackingCallback  # noqa: B018 - it is made when it is asked for
    with pytest.raises(AttributeError, match="has no attribute 'Callback'"):
        module.Callback  # noqa: B018


MADE: list[Callable[..., object]] = [
    Training,
    Following,
    Logging,
    Live,
    lambda **named: log_search(Fitted(), **named),
]


@pytest.mark.parametrize("made", MADE)
def test_what_is_given_as_a_run_is_one_that_has_not_ended(
    tracker: ExperimentTracker, made: Callable[..., object]
) -> None:
    with pytest.raises(InvalidValueError, match="run is 'run_001'; give an open run"):
        made(run="run_001")
    with tracker.start_run("ctr") as run:
        pass
    with pytest.raises(InvalidValueError, match="run is run_001, which has ended; give an open run"):
        made(run=run)
    opened = tracker.open_run("run_001")
    made(run=opened)  # opened again, it may be logged into
    opened.log({"loss": 1.0})
    made(run=run)
    opened.finish()
    assert len(recorded(tracker)) == 1


def test_a_run_that_ends_before_its_training_begins_is_refused_then(tracker: ExperimentTracker) -> None:
    with tracker.start_run("ctr") as run:
        training = Training(run=run)
    with pytest.raises(InvalidValueError, match="run is run_001, which has ended"):
        training.begin({"lr": 0.1})
    assert recorded(tracker)[0].params == {}


@pytest.mark.parametrize("made", [Training, Following, Logging])
def test_an_argument_that_is_none_is_named_with_those_that_are(made: Callable[..., object]) -> None:
    with pytest.raises(
        TypeError, match=r"^Tracking.* has no argument 'nosuch'; it takes experiment, and by name"
    ):
        made(nosuch=1)
    with pytest.raises(TypeError, match=r"^Tracking.* takes experiment by place, and by name store, run"):
        made("ctr", "store")


@pytest.mark.parametrize("name", ["store", "experiment"])
@pytest.mark.parametrize("value", [5, "", b"x"])
def test_a_place_that_is_none_is_refused_and_nothing_is_made(
    base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for made in (Training, Following):
        with pytest.raises(
            (InvalidNameError, InvalidValueError), match=rf"{name}.* {re.escape(repr(value))}"
        ):
            made(**{"experiment": "ctr", "store": base, name: value}).run  # noqa: B018 - it is opened here
    assert not list(tmp_path.rglob("run_*"))
