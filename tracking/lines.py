"""Journal lines: one log call each, {"step": 3, "timestamp": "...", "metrics": {"val_auc": 0.71}}.

Nearly every call of a run logs plain floats under names it has logged before, so those calls skip what has been
checked already.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from tracking import clock
from tracking.plain import INT_MAX, INT_MIN
from tracking.values import Number, metric_values, non_finite_text, step_value

_NEWLINE = orjson.OPT_APPEND_NEWLINE


class Line(NamedTuple):
    """One log call."""

    step: int | None
    timestamp: str
    metrics: dict[str, Number]

    def encode(self) -> bytes:
        """The journal line, newline included."""
        metrics = {
            name: value if math.isfinite(value) else non_finite_text(value)
            for name, value in self.metrics.items()
        }
        return orjson.dumps(
            {"step": self.step, "timestamp": self.timestamp, "metrics": metrics}, option=_NEWLINE
        )


class LineEncoder:
    """Makes the lines of one run."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def encode(self, metrics: Mapping[str, Any], step: Any) -> bytes:
        """The line of a log call made now, empty without metrics; InvalidValueError for what cannot be kept."""
        if metrics and type(metrics) is dict and (step is None or type(step) is int):
            line = self._encode_plain(metrics, step)
            if line:
                return line
        values = metric_values(metrics)
        number = step_value(step)
        if not values:
            return b""
        line = Line(number, clock.now(), values).encode()
        self._names.update(values)
        return line

    def _encode_plain(self, metrics: dict[str, Any], step: int | None) -> bytes:
        names = self._names
        for name, value in metrics.items():
            if type(value) is not float or name not in names:
                return b""
        if step is not None and not INT_MIN <= step <= INT_MAX:
            return b""
        try:
            line = orjson.dumps({"step": step, "timestamp": clock.now(), "metrics": metrics}, option=_NEWLINE)
        except TypeError:  # a name that is a text of a kind of its own
            return b""
        # a NaN or an infinity is written as null, and needs the long way
        return line if line.count(b"null") == (step is None) else b""
