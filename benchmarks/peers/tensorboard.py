"""TensorBoard, written by torch's SummaryWriter: a queue in memory that is flushed every two minutes and at the end.

A step is an `add_scalar` for each metric. It has no call that finds runs: the files are read by its server, for the
browser.
"""

import os
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.driving import Answer, OpenRun, per_run

PACKAGE = "torch.utils.tensorboard"


def open_run(folder: Path, name: str, _params: dict[str, Any], _tags: dict[str, str]) -> OpenRun:
    """Make a writer."""
    writer = _writer(folder / name)

    def log(metrics: dict[str, float], step: int) -> None:
        for metric, value in metrics.items():
            writer.add_scalar(metric, value, step)

    return log, writer.close


def runs(folder: Path, count: int) -> Answer:
    """Record with a writer per run, and one `add_hparams` with parameters, tags and metrics."""

    def run(number: int) -> None:
        writer = _writer(folder / f"run-{os.getpid()}-{number}")
        params = {**workload.params(number), **workload.tags(number)}
        writer.add_hparams(params, workload.results(number), run_name=".")
        writer.close()

    return per_run(run, count)


def _writer(folder: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(log_dir=str(folder))
