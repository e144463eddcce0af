"""Journal lines: one log call each, {"step": 3, "timestamp": "...", "metrics": {"val_auc": 0.71}}.

Nearly every call logs plain floats under names that the run has logged before, so such a call skips the checks.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from tracking.values import timestamps
from tracking.values.checks import metric_values, step_value
from tracking.values.jsontext import Number, non_finite_text
from tracking.values.plain import INT_MAX

_NEWLINE = orjson.OPT_APPEND_NEWLINE
_encode, _now = orjson.dumps, timestamps.now  # looked up once: this runs at every step


class Line(NamedTuple):
    """One log call."""

    step: Number | None
    timestamp: str
    metrics: dict[str, Number]

    def encode(self) -> bytes:
        """Return the journal line with its newline."""
        metrics = {
            name: value if math.isfinite(value) else non_finite_text(value)
            for name, value in self.metrics.items()
        }
        return orjson.dumps(
            {"step": self.step, "timestamp": self.timestamp, "metrics": metrics}, option=_NEWLINE
        )


class LineEncoder:
    """Encodes the log calls of one run."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def encode(self, metrics: Mapping[str, Any], step: Any) -> bytes:
        """Return the line of a log call made now, empty without metrics; raise InvalidValueError for invalid values."""
        if type(metrics) is dict and (step is None or (type(step) is int and step <= INT_MAX)):
            names, total = self._names, 0.0
            for name, value in metrics.items():
                if type(value) is not float or name not in names:
                    break
                total += value
            else:
                # a sum that is not finite has a part that is not, or is worth another look
                if metrics and total - total == 0.0:
                    try:
                        return _encode(
                            {"step": step, "timestamp": _now(), "metrics": metrics}, None, _NEWLINE
                        )
                    except TypeError:  # a name of a subclass of str
                        pass
        return self._encode_checked(metrics, step)

    def _encode_checked(self, metrics: Mapping[str, Any], step: Any) -> bytes:
        values = metric_values(metrics)
        number = step_value(step)
        if not values:
            return b""
        self._names.update(values)
        return Line(number, timestamps.now(), values).encode()
