"""Make a run again from what it remembers, compare, and keep what that has shown."""

from typing import TYPE_CHECKING, Any

from tracking.errors import RerunError
from tracking.rerun.result import Likeness, MetricDifference, Noise, RerunResult, results_of

if TYPE_CHECKING:  # most who import this read results
    from tracking.rerun.again import last_rerun, rerun, standing_rerun

__all__ = [
    "Likeness",
    "MetricDifference",
    "Noise",
    "RerunError",
    "RerunResult",
    "last_rerun",
    "rerun",
    "results_of",
    "standing_rerun",
]


def __getattr__(name: str) -> Any:
    if name in ("last_rerun", "rerun", "standing_rerun"):
        from tracking.rerun import again

        return getattr(again, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
