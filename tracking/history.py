"""The points of a run's metrics: how journal lines and metrics.json say them, and how either is read.

A journal line is one log call: {"step": 3, "timestamp": "...", "metrics": {"val_auc": 0.71}}.
metrics.json has the same points by metric: {"val_auc": [{"step": 3, "value": 0.71, "timestamp": "..."}]}.
"""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tracking import files
from tracking.errors import CorruptFileError
from tracking.paths import RunPaths
from tracking.values import Number, non_finite_text, stored_number

History = dict[str, list[dict[str, Any]]]


class Line(NamedTuple):
    """One log call."""

    step: int | None
    timestamp: str
    metrics: dict[str, Number]

    def encode(self) -> bytes:
        """The journal line, newline included."""
        metrics: dict[str, Number | str] = self.metrics  # type: ignore[assignment]  # a wider view of the same dict
        if not all(map(math.isfinite, self.metrics.values())):
            metrics = {name: _json_number(value) for name, value in self.metrics.items()}
        return orjson.dumps(
            {"step": self.step, "timestamp": self.timestamp, "metrics": metrics},
            option=orjson.OPT_APPEND_NEWLINE,
        )

    @classmethod
    def parse(cls, lines: Iterable[bytes], path: Path) -> Iterator["Line"]:
        """The log calls in raw lines; a torn or damaged one is no log call."""
        for value in files.parse_lines(lines, path):
            try:
                metrics = value["metrics"]
                for name, number in metrics.items():
                    if type(number) is not float:
                        metrics[name] = stored_number(number)
                yield cls(value["step"], value["timestamp"], metrics)
            except (KeyError, TypeError, AttributeError, ValueError):
                files.log.warning("%s: skipped a line that is no log call: %.80r", path, value)


def read_history(paths: RunPaths) -> History:
    """All points of a run by metric; an empty dict when nothing was logged. Costs the size of the history."""
    try:
        with paths.journal.open("rb") as journal:
            history: History = {}
            for step, timestamp, metrics in Line.parse(journal, paths.journal):
                for name, value in metrics.items():
                    point = {"step": step, "value": value, "timestamp": timestamp}
                    history.setdefault(name, []).append(point)
            return history
    except FileNotFoundError:
        return _read_metrics_json(paths.metrics)


def metrics_json(lines: Iterable[Line]) -> bytes:
    """The text of metrics.json for journal lines, a point per row; memory is the size of the text."""
    rows: dict[str, bytearray] = {}
    for step, timestamp, metrics in lines:
        head = f'    {{"step": {"null" if step is None else step}, "value": '
        tail = f', "timestamp": {json.dumps(timestamp)}}}'
        for name, value in metrics.items():
            number = repr(value) if math.isfinite(value) else f'"{non_finite_text(value)}"'
            row = f"{head}{number}{tail}".encode()
            if name in rows:
                rows[name] += b",\n" + row
            else:
                rows[name] = bytearray(row)
    blocks = (b"  " + orjson.dumps(name) + b": [\n" + row + b"\n  ]" for name, row in rows.items())
    return b"{\n" + b",\n".join(blocks) + b"\n}\n"


def lines_of(path: Path) -> Iterator[Line]:
    """The points of a metrics.json as log calls of one point each."""
    for name, points in _read_metrics_json(path).items():
        for point in points:
            yield Line(point["step"], point["timestamp"], {name: point["value"]})


def _read_metrics_json(path: Path) -> History:
    try:
        history = files.read_object(path)
    except FileNotFoundError:
        return {}
    try:
        return {name: [_point(point) for point in points] for name, points in history.items()}
    except (TypeError, KeyError, AttributeError, ValueError):
        raise CorruptFileError(
            f"{path} must map metric names to lists of points with a number as 'value'; repair or remove the file"
        ) from None


def _point(point: dict[str, Any]) -> dict[str, Any]:
    return {
        "step": point.get("step"),
        "value": stored_number(point["value"]),
        "timestamp": point.get("timestamp", ""),
    }


def _json_number(value: Number) -> Number | str:
    return value if math.isfinite(value) else non_finite_text(value)
