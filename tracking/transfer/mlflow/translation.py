"""What a run is in MLflow's terms, and back: names, texts, states, points. It opens nothing and needs no MLflow.

MLflow keeps parameters and tags as text, a step as a whole number, a time in milliseconds, and a point with equal step,
time and value once. What it cannot hold is changed in one way each, and told in tags that begin with `podium.`.
"""

import ast
import posixpath
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from tracking.metrics.sources import History, Point
from tracking.paths import RunPaths
from tracking.records import RunStatus
from tracking.transfer.mlflow.steps import StepNumbers, number_steps
from tracking.values import timestamps

# of MLflow 2 and 3
MAX_KEY = 250
MAX_PARAM = 6000
MAX_TAG = 8000

NOTE = "mlflow.note.content"
RUN_NAME = "mlflow.runName"
OWN = "podium."  # begins the tags that say what MLflow cannot hold
UID = f"{OWN}uid"
STATE = f"{OWN}state"
ERROR = f"{OWN}error"
NAMES = f"{OWN}names"
STEPS = f"{OWN}steps"
STATUS = f"{OWN}status"
FINGERPRINT = f"{OWN}fingerprint"
RESERVED = frozenset({UID, STATE, ERROR, NAMES, STEPS, STATUS, FINGERPRINT})
FILES = "podium"  # the folder of artifacts with the files of the run itself

TO_MLFLOW = {
    RunStatus.RUNNING: "RUNNING",
    RunStatus.COMPLETED: "FINISHED",
    RunStatus.ENDED: "FINISHED",
    RunStatus.PRUNED: "FINISHED",
    RunStatus.FAILED: "FAILED",
    RunStatus.KILLED: "KILLED",
}
AS_FINISHED = (RunStatus.ENDED, RunStatus.PRUNED)  # told by a tag
FROM_MLFLOW = {
    "RUNNING": RunStatus.RUNNING,
    "SCHEDULED": RunStatus.RUNNING,
    "FINISHED": RunStatus.COMPLETED,
    "FAILED": RunStatus.FAILED,
    "KILLED": RunStatus.KILLED,
}

_REFUSED = re.compile(r"[^/\w.\- :]")
_REFUSED_IN_FILES = re.compile(r"[#?%\x00-\x1f\x7f\ud800-\udfff]")
_MAX_LITERAL = 10_000  # characters of a list or a dict that is read back


class Sent(NamedTuple):
    """A point as MLflow takes it."""

    value: float
    timestamp: int
    step: int


@dataclass
class SentHistory:
    """The points of a run by metric, and what MLflow cannot hold of them."""

    points: dict[str, list[Sent]] = field(default_factory=dict)
    steps: dict[str, StepNumbers] = field(
        default_factory=dict
    )  # which numbers stand for other steps, or none
    renumbered: list[str] = field(default_factory=list)  # metrics with fractions as steps


def fit_names(names: Iterable[str], known: Mapping[str, str] = {}) -> dict[str, str]:
    """Return the name that MLflow takes for each name, another one for each.

    A character that it refuses becomes `_`, and so do the slashes of a name that is no path; a long name is cut. Where
    two names would be one, the later one gets `_2`, `_3`, ... A name that an earlier export changed stays as it was
    sent: `known` has the original of each.
    """
    return _distinct_names(names, known, _fit, _numbered)


def fit_files(names: Iterable[str], known: Mapping[str, str] = {}) -> dict[str, str]:
    """Return the name under which a server keeps each file, another one for each.

    Its addresses hold no `#`, `?`, `%` or control character, which become `_`: MLflow cuts or decodes such names.
    """
    return _distinct_names(names, known, lambda name: _REFUSED_IN_FILES.sub("_", name), _numbered_file)


def _distinct_names(
    names: Iterable[str],
    known: Mapping[str, str],
    fit: Callable[[str], str],
    numbered: Callable[[str, int], str],
) -> dict[str, str]:
    given = list(names)
    found = {name: sent for sent, name in known.items() if fit(sent) == sent}
    taken = set(found.values())
    free = [name for name in given if fit(name) == name and name not in taken]
    found |= {name: name for name in free if name not in found}
    taken.update(free)
    for name in given:
        if name not in found:
            stem, number = fit(name), 1
            sent = stem
            while sent in taken:
                number += 1
                sent = numbered(stem, number)
            taken.add(sent)
            found[name] = sent
    return {name: found[name] for name in given}


def _numbered(name: str, number: int) -> str:
    return f"{name[: MAX_KEY - len(str(number)) - 1]}_{number}"


def _numbered_file(name: str, number: int) -> str:
    path = PurePosixPath(name)
    return path.with_name(f"{path.stem}_{number}{path.suffix}").as_posix()


def _fit(name: str) -> str:
    text = _REFUSED.sub("_", name)[:MAX_KEY]
    plain = posixpath.normpath(text)
    if plain != text or plain == "." or plain.startswith(("..", "/")):
        text = text.replace("/", "_")
        text = f"_{text}" if text.startswith(".") else text
    return text[:MAX_KEY]


def text_of(value: Any) -> str:
    """Return a parameter or a tag as MLflow's own `log_param` writes it."""
    return value if isinstance(value, str) else str(value)


def value_of(text: str) -> Any:
    """Return what a text stands for: a number, a boolean, None, a list or a dict where Python writes that value so.

    `text_of` of the result is the text again, so nothing is lost if it was a text.
    """
    known = {"True": True, "False": False, "None": None}
    if text in known:
        return known[text]
    if text[:1] in ("[", "{") and len(text) <= _MAX_LITERAL:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
        return value if isinstance(value, list | dict) and str(value) == text else text
    for kind in (int, float):
        try:
            number = kind(text) if len(text) < sys.int_info.default_max_str_digits else text
        except ValueError:
            continue
        if str(number) == text:
            return number
    return text


def sent_history(
    history: History, otherwise: int, known: Mapping[str, StepNumbers] = {}, there: Collection[str] = ()
) -> SentHistory:
    """Return the points of a run as MLflow takes them; `otherwise` is the time of a point that has none.

    `known` are the numbers of steps that an earlier export recorded, and `there` the metrics of which MLflow has points.
    A point that MLflow would take for another one is sent a millisecond later.
    """
    found = SentHistory()
    for name, points in history.items():
        before = known.get(name, StepNumbers())
        numbers, told = number_steps([point["step"] for point in points], before, is_new=name not in there)
        if told:
            found.steps[name] = told
        if told.steps:
            found.renumbered.append(name)
        found.points[name] = _distinct(points, numbers, otherwise)
    return found


def _distinct(points: Sequence[Point], steps: Sequence[int], otherwise: int) -> list[Sent]:
    seen: set[tuple[str, int, int]] = set()
    found = []
    for point, step in zip(points, steps, strict=True):
        value, moment = float(point["value"]), milliseconds(point["timestamp"], otherwise)
        text = repr(value)  # NaN is not equal to itself
        while (text, moment, step) in seen:
            moment += 1
        seen.add((text, moment, step))
        found.append(Sent(value, moment, step))
    return found


def milliseconds(stamp: Any, otherwise: int = 0) -> int:
    """Return a time of a store as milliseconds since 1970; `otherwise` for a text that is none."""
    try:
        moment = stamp if isinstance(stamp, datetime) else timestamps.parse(stamp)
        return max(round(moment.timestamp() * 1000), 0)
    except (TypeError, ValueError, OverflowError):
        return otherwise


def own_files(run: RunPaths) -> tuple[Path, ...]:
    """Return the files of a run that are sent as artifacts below FILES; its parameters are among them with their types."""
    told = (run.config, run.overrides, run.environment, run.git, run.patch, run.output, run.usage, run.error)
    return (run.params, *told)
