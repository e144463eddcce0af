"""The run of a job: opened from a composed config, and the runs of earlier attempts at the same job."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tracking import ExperimentTracker, Run


@contextmanager
def logged_before() -> Iterator[list[str]]:
    """Collect the lines that are logged while a job has no run yet, as they are printed, for the run's stdout.log."""
    root = logging.getLogger()
    printers = [each for each in root.handlers if isinstance(each, logging.StreamHandler)]
    shown = next((each for each in printers if not isinstance(each, logging.FileHandler)), None)
    if shown is None:  # nothing is printed
        yield []
        return
    lines: list[str] = []
    hearing = logging.Handler(shown.level)
    hearing.emit = lambda record: lines.append(f"{shown.format(record)}\n")  # type: ignore[method-assign]
    root.addHandler(hearing)
    try:
        yield lines
    finally:
        root.removeHandler(hearing)


def opened(cfg: DictConfig, *, data: Mapping[str, Any] | None = None, printed: str = "") -> Run:
    """Start the run of a job in the store that its config names, best in a `with`; `printed` is of the time before it."""
    tracked: Any = OmegaConf.to_container(cfg.tracking, resolve=True)
    return ExperimentTracker(cfg.paths.experiments).start_run(
        tracked["experiment_name"],
        tags=tracked["tags"],
        description=tracked["description"],
        config=cfg,
        overrides=overrides(),
        data=data,
        printed=printed,
        seeds={"seed": cfg.seed},
    )


def earlier_runs(run: Run) -> list[Path]:
    """Return the folders of the runs of earlier attempts at this job of a sweep, oldest first."""
    tracker = ExperimentTracker(run.run_dir.parents[1])
    own = tracker.record(run.run_id)
    names = (own.sweep or {}).get("previous", ()) if own is not None else ()
    records = (tracker.record(name) for name in names)
    return [record.run_dir for record in records if record is not None]


def overrides() -> list[str]:
    """Return the overrides of this job; empty outside Hydra."""
    from hydra.core.hydra_config import HydraConfig

    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []
