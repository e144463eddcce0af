"""W&B in its offline mode: points go to a second process, which writes them.

A run is `wandb.init`, which gets the parameters and tags, `run.log`, and `run.finish`. It has no call that finds runs
of the offline mode: that needs its server.
"""

from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.driving import OpenRun

PACKAGE = "wandb"


def open_run(folder: Path, name: str, params: dict[str, Any], tags: dict[str, str]) -> OpenRun:
    """Start a run."""
    import wandb

    run = wandb.init(
        project=workload.EXPERIMENT,
        name=name,
        mode="offline",
        dir=str(folder),
        config=params,
        tags=[f"{tag}={value}" for tag, value in tags.items()],
    )
    return run.log, run.finish
