"""The plots of a run, from its files alone: its metrics, and what `trainer.plots.kept` keeps. Loads no torch.

A sweep calls `winner` in a process that it starts at its beginning, so that everything is loaded by then.
"""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tracking import ExperimentTracker
from trainer.errors import LoadError
from trainer.plots import draw
from trainer.plots.kept import SCORES, read

for _each in ("figure", "ticker", "backends.backend_agg"):
    importlib.import_module(f"matplotlib.{_each}")


def winner(run_dir: str) -> None:
    """Draw the plots of the run that won a sweep; nothing for one that a function of the user's trained."""
    if (Path(run_dir) / "artifacts" / SCORES).exists():
        draw_run(Path(run_dir))


def draw_run(run_dir: Path) -> list[Path]:
    """Draw the plots of a run into its artifacts and return them; raise LoadError for a run that keeps no scores."""
    artifacts = run_dir / "artifacts"
    run = ExperimentTracker(run_dir.absolute().parents[1]).get_run(run_dir.name)
    if run is None:
        raise LoadError(f"{run_dir} is no run")
    try:
        kept = read(artifacts / SCORES)
    except FileNotFoundError:
        raise LoadError(
            f"{run_dir} keeps no {SCORES} to draw: a training of ours writes it at its end"
        ) from None
    history = _history(run["metrics"])
    return draw(artifacts / "plots", history, kept.epoch, kept.scores, kept.labels, threshold=kept.threshold)


def _history(metrics: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, float]]:
    """Return the metrics of each epoch, the last of those that were logged for it."""
    epochs: dict[int, dict[str, float]] = {}
    for name, points in metrics.items():
        for point in points:
            if point["step"] is not None:
                epochs.setdefault(point["step"], {})[name] = point["value"]
    return [epochs[step] for step in sorted(epochs)]
