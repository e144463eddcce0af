"""What searches are tried on: a space, and the value of a point after each epoch, all offline.

LCBench is the surrogate of YAHPO Gym (Pfisterer et al. 2022): multi-layer perceptrons on 34 data sets, 52 epochs, one ONNX
file. Branin and Hartmann-6 are functions without epochs, whose optimum is known.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Curve = npt.NDArray[np.float64]  # the best value so far after 1, 2, 3, ... epochs; higher is better
Values = Mapping[str, Any]

EPOCHS = 52
REFERENCES = Path(__file__).with_name("references.json")
SAMPLE = 20_000  # random points that a reference comes from, the best of these epochs for each
SPREAD = (2, 6, 12, 20, 28, 36, 44, 52)
# Settings were chosen on these, so no figure that is reported comes from them.
TUNED_ON = (
    "3945", "34539", "126026", "146212", "167149", "167161", "167184", "167200", "168330", "168868", "189862", "189906",
)  # fmt: skip
LCBENCH = (
    "batch_size=tag(log,int(interval(16,512)))",
    "learning_rate=tag(log,interval(1e-4,1e-1))",
    "momentum=interval(0.1,0.99)",
    "weight_decay=interval(1e-5,1e-1)",
    "num_layers=int(interval(1,5))",
    "max_units=tag(log,int(interval(64,1024)))",
    "max_dropout=interval(0.0,1.0)",
)
ORDER = ("batch_size", "learning_rate", "momentum", "weight_decay", "num_layers", "max_units", "max_dropout")


@dataclass(frozen=True)
class Problem:
    """A space in the override grammar, the curve of a point, and the scale that regrets are measured on.

    Where curves have noise, `truth` is what a point is worth.
    """

    name: str
    space: tuple[str, ...]
    epochs: int
    curve: Callable[[Values], Curve]
    best: float
    median: float
    truth: Callable[[Values], float] | None = None

    def regret(self, value: float) -> float:
        """Return how far a value is from the best one, where a random point is at 100 half of the time."""
        return 100 * (self.best - value) / (self.best - self.median)


@dataclass
class Surrogate:
    """The LCBench surrogate of a folder; curves are kept by point, because every method asks for its own again."""

    folder: Path
    _session: Any = None
    _codes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(self.folder / "model.onnx"), options)
        self._codes = json.loads((self.folder / "encoding.json").read_text())["OpenML_task_id"]

    @property
    def tasks(self) -> list[str]:
        """The data sets, by the number that OpenML gives them."""
        space = json.loads((self.folder / "config_space.json").read_text())
        return list(space["hyperparameters"][0]["choices"])

    def curves(self, task: str, points: Curve, epochs: Sequence[int] = range(1, EPOCHS + 1)) -> Curve:
        """Return the best validation accuracy so far after each of some epochs, a row per point."""
        rows, each = len(points), np.asarray(epochs, dtype=np.float64)
        inputs = np.concatenate([np.tile(each, rows)[:, None], np.repeat(points, len(each), axis=0)], axis=1)
        codes = np.full((len(inputs), 1), self._codes[task], np.int32)
        answer = self._session.run(None, {"x_cat": codes, "x_cont": inputs.astype(np.float32)})[0]
        accuracy = answer[:, 1].astype(np.float64).reshape(rows, len(each))
        return np.asarray(np.maximum.accumulate(accuracy, axis=1))

    def problem(self, task: str) -> Problem:
        """Return the problem of a data set."""
        reference = json.loads(REFERENCES.read_text())[task]

        def curve(values: Values) -> Curve:
            point = np.array([[float(values[name]) for name in ORDER]])
            return np.asarray(self.curves(task, point)[0])

        return Problem(task, LCBENCH, EPOCHS, curve, reference["best"], reference["median"])

    def reference(self, task: str) -> dict[str, float]:
        """Return the best and the median of many random points."""
        shares = np.random.default_rng(0).random((SAMPLE, len(ORDER)))
        columns = [_scaled(shares[:, index], line) for index, line in enumerate(LCBENCH)]
        points = np.stack(columns, axis=1)
        ends = np.concatenate(
            [
                self.curves(task, points[start : start + 1000], SPREAD)[:, -1]
                for start in range(0, SAMPLE, 1000)
            ]
        )
        return {"best": float(ends.max()), "median": float(np.median(ends))}


def _scaled(shares: Curve, line: str) -> Curve:
    low, high = (float(each) for each in line.rpartition("interval(")[2].rstrip(")").split(","))
    is_log, margin = "log" in line, 0.5 if "int(" in line.replace("interval(", "") else 0.0
    low, high = low - margin, high + margin
    values = np.exp(np.log(low) + shares * np.log(high / low)) if is_log else low + shares * (high - low)
    return np.clip(np.floor(values + 0.5), low + 0.5, high - 0.5) if margin else values


def branin() -> Problem:
    """Return the Branin function, turned over; its optimum is -0.397887."""

    def curve(values: Values) -> Curve:
        x, y = float(values["x"]), float(values["y"])
        bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
        return np.array([-(bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)])

    return Problem("Branin", ("x=interval(-5.0,10.0)", "y=interval(0.0,15.0)"), 1, curve, -0.397887, -35.6)


_HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6() -> Problem:
    """Return the Hartmann function of six dimensions, turned over; its optimum is 3.32237."""

    def curve(values: Values) -> Curve:
        point = np.array([float(values[f"x{i}"]) for i in range(6)])
        inner = (_HARTMANN_A * (point - _HARTMANN_P) ** 2).sum(axis=1)
        return np.array([float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-inner))])

    space = tuple(f"x{i}=interval(0.0,1.0)" for i in range(6))
    return Problem("Hartmann-6", space, 1, curve, 3.32237, 0.0905)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and its standard error."""
    data = np.asarray(values, dtype=np.float64)
    return float(data.mean()), float(data.std(ddof=1) / math.sqrt(len(data))) if len(data) > 1 else 0.0
