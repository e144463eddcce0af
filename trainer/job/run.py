"""The run of a job: opened from a composed config, and the runs of earlier attempts at the same job."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    hearing = _Hearing(shown)
    root.addHandler(hearing)
    try:
        yield hearing.lines
    finally:
        root.removeHandler(hearing)


class _Hearing(logging.Handler):
    """Keeps the lines that another handler prints."""

    def __init__(self, other: logging.Handler) -> None:
        super().__init__(other.level)
        self.lines: list[str] = []
        self._other = other

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(f"{self._other.format(record)}\n")


def opened(
    config: Mapping[str, Any],
    *,
    composed: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    printed: str = "",
) -> Run:
    """Start the run of a job in the store that its plain config names, best in a `with`.

    The run keeps the config, or the one it was `composed` as. `printed` is of the time before it.
    """
    tracked = config["tracking"]
    return ExperimentTracker(config["paths"]["experiments"]).start_run(
        tracked["experiment_name"],
        tags=tracked["tags"],
        description=tracked["description"],
        config=config if composed is None else composed,
        overrides=overrides(),
        data=data,
        printed=printed,
        seeds={"seed": config["seed"]},
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
