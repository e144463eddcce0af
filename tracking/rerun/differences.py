"""What differs between a run and the same run made again: points of metrics, and the environment."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tracking.rerun.child import is_of_place
from tracking.rerun.result import MetricDifference

# A metric of time is never equal twice.
OF_TIME = re.compile(
    r"(?:.*[_./-])?(?:s|ms|us|secs?|seconds?|minutes?|hours?|time|times|duration|latency|elapsed|throughput|wall|eta)"
    r"(?:[_./-](?:s|ms|us|mean|p\d+|total|avg|min|max))?|.*_per_(?:s|sec|second|minute|hour)",
    re.IGNORECASE,
)

_FACTS = (
    "python",
    "implementation",
    "platform",
    "host",
    "cpu",
    "cpus_usable",
    "memory_bytes",
    "gpu_driver",
    "cuda",
)
_MARGIN = 0.01  # of the memory, which the kernel reports a little differently after each start

Points = Sequence[Mapping[str, Any]]


def compare_points(
    first: Mapping[str, Points], again: Mapping[str, Points], *, is_cut: bool = False
) -> tuple[int, list[MetricDifference], list[str]]:
    """Compare steps and values of all metrics, to the last digit.

    Return how many points are equal, the metrics that differ, and those that are not compared, because they measure time. A
    first run that `is_cut` was stopped early: only the points that it has are compared.
    """
    left_out = [name for name in first if OF_TIME.fullmatch(name)]
    equal = 0
    found = []
    for name in dict.fromkeys([*first, *again]):
        if name in left_out or OF_TIME.fullmatch(name) or (is_cut and name not in first):
            continue
        before, after = _plain(first.get(name, ())), _plain(again.get(name, ()))
        if is_cut:
            after = after[: len(before)]
        same = sum(_same(*pair) for pair in zip(before, after, strict=False))
        equal += same
        if same < max(len(before), len(after)):
            found.append(_difference(name, before, after))
    return equal, found, left_out


def _plain(points: Points) -> list[tuple[Any, Any]]:
    return [(point["step"], point["value"]) for point in points]


def _same(first: tuple[Any, Any], again: tuple[Any, Any]) -> bool:
    are_equal = first[1] == again[1] or (first[1] != first[1] and again[1] != again[1])
    return bool(first[0] == again[0] and are_equal)


def _difference(name: str, first: list[tuple[Any, Any]], again: list[tuple[Any, Any]]) -> MetricDifference:
    pairs = list(zip(first, again, strict=False))
    at = next((index for index, pair in enumerate(pairs) if not _same(*pair)), len(pairs))
    longer = first if len(first) > len(again) else again
    gaps = [
        abs(a[1] - b[1]) for a, b in pairs if a[0] == b[0] and math.isfinite(a[1]) and math.isfinite(b[1])
    ]
    return MetricDifference(
        metric=name,
        first=first[-1][1] if first else None,
        again=again[-1][1] if again else None,
        at_step=longer[at][0] if at < len(longer) else None,
        distance=max(gaps, default=None),
        points=(len(first), len(again)),
    )


def compare_environments(first: Mapping[str, Any], again: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what differs of two env.json: interpreter, machine, variables that change a computation, packages.

    Packages are named `packages.NAME`, variables `env.NAME`; None stands for one that is missing.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for name in _FACTS:
        pair = first.get(name), again.get(name)
        if pair[0] != pair[1] and not (name == "memory_bytes" and _near(*pair)):
            found[name] = pair
    gpus = tuple([_name(each) for each in side.get("gpus") or ()] for side in (first, again))
    if gpus[0] != gpus[1]:
        found["gpus"] = (gpus[0], gpus[1])
    for section in ("env", "packages"):
        sides = [side.get(section) for side in (first, again)]
        before, after = (side if isinstance(side, dict) else {} for side in sides)
        for name in sorted({*before, *after}):
            is_left_out = section == "env" and is_of_place(name)
            if before.get(name) != after.get(name) and not is_left_out:
                found[f"{section}.{name}"] = (before.get(name), after.get(name))
    return found


def _name(gpu: Any) -> str:
    return str(gpu.get("name")) if isinstance(gpu, dict) else str(gpu)


def _near(first: Any, again: Any) -> bool:
    are_numbers = isinstance(first, int) and isinstance(again, int)
    return are_numbers and abs(first - again) <= _MARGIN * max(first, again)


def in_words(environment: Mapping[str, tuple[Any, Any]], most: int = 5) -> list[str]:
    """Return the first differences of an environment as phrases: `numpy is 2.1, was 2.0`."""
    words = []
    for name, (first, again) in environment.items():
        kind, _, rest = name.partition(".")
        label = {"packages": rest, "env": f"the variable {rest}"}.get(kind, name)
        now = "missing" if again is None else str(again)
        words.append(f"{label} is {now}, was {'missing' if first is None else first}")
    return [*words[:most], *([f"{len(words) - most} more"] if len(words) > most else [])]
