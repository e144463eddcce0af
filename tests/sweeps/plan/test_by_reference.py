"""Pickles for jobs: what a module defines is found in the job's own module, also what no name leads to."""

import functools
import pickle
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeps.plan.by_reference import dumps

SEEN: list[object] = []
LOCK = threading.Lock()


def there_and_back(value: Any) -> Any:
    return pickle.loads(dumps(value))


def counter(start: int) -> Callable[[], int]:
    count = start

    def up(step: int = 1, *, times: int = 1) -> int:
        """Count up."""
        nonlocal count
        count += step * times
        return count

    up.unit = "steps"  # type: ignore[attr-defined]  # functions take attributes
    return up


def recursive() -> Callable[[int], int]:
    def factorial(number: int) -> int:
        return 1 if number < 2 else number * factorial(number - 1)

    return factorial


def decorated(function: Callable) -> Callable:
    @functools.wraps(function)
    def inner(*arguments: object) -> object:
        return ("inside", function(*arguments))

    return inner


@decorated
@decorated
def twice(value: int) -> int:
    return value + 1


def later() -> Callable:
    def reads() -> object:
        return unset

    if SEEN is None:
        unset = 1
    return reads


def test_a_lambda_writes_into_the_globals_of_its_module() -> None:
    append = there_and_back(lambda value: SEEN.append(value))
    append("mark")
    assert SEEN.pop() == "mark"


def test_what_a_lambda_uses_does_not_travel_with_it() -> None:
    held = there_and_back(lambda: LOCK)  # a lock cannot be pickled
    assert held() is LOCK


def test_a_closure_keeps_its_defaults_its_attributes_and_its_own_state() -> None:
    up = counter(5)
    copy = there_and_back(up)
    assert (copy(), copy(2, times=3)) == (6, 12)
    assert up() == 6
    assert (copy.__name__, copy.__qualname__, copy.__doc__, copy.unit) == (
        "up",
        "counter.<locals>.up",
        "Count up.",
        "steps",
    )
    assert copy.__annotations__ == up.__annotations__


def test_a_closure_that_calls_itself_travels() -> None:
    assert there_and_back(recursive())(5) == 120


def test_a_closure_over_a_name_that_is_not_set_yet_travels() -> None:
    with pytest.raises(NameError, match="unset"):
        there_and_back(later())()


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_function_under_decorators_is_the_modules_own(depth: int) -> None:
    function: Any = twice
    for _ in range(depth):
        function = function.__wrapped__
    assert there_and_back(function) is function


def test_a_function_of_a_module_that_was_made_by_hand_travels_by_value() -> None:
    module = types.ModuleType("made_by_hand")
    exec("BASE = 40\nanonymous = lambda value: BASE + value", vars(module))
    sys.modules["made_by_hand"] = module
    try:
        packed = dumps(module.anonymous)
    finally:
        del sys.modules["made_by_hand"]
    assert pickle.loads(packed)(2) == 42


SCRIPT = """
import enum, pickle, sys, threading
from dataclasses import dataclass
from pathlib import Path

BIG = bytearray(50_000_000)
LOCK = threading.Lock()

class Colour(enum.Enum):
    RED = 1

@dataclass
class Config:
    colour: Colour = Colour.RED
    class Inner:
        pass

def task(): return BIG, LOCK, Config
anonymous = lambda: task()

if __name__ == "__main__":
    from sweeps.plan.by_reference import dumps
    own = 5
    packed = dumps([Config, Config.Inner, Colour.RED, Config(), task, anonymous])
    assert len(packed) < 3_000, len(packed)
    sys.modules["app"] = sys.modules["__main__"]
    found = pickle.loads(packed)
    assert found[0] is Config and found[1] is Config.Inner and found[2] is Colour.RED and found[4] is task
    assert found[5]()[0] is BIG
    copied = dumps(Config, copied=frozenset({"Config"}))
    assert pickle.loads(copied).__name__ == "Config" and len(copied) > len(dumps(Config)), copied
"""


def test_nothing_of_a_script_is_copied(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "app.py"], cwd=tmp_path, check=True, timeout=60)
