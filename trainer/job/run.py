"""The run of a job: opened from a composed config, and the runs of earlier attempts at the same job."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tracking import ExperimentTracker, Run


def opened(cfg: DictConfig, *, data: Mapping[str, Any] | None = None) -> Run:
    """Start the run of a job in the store that its config names, best in a `with`."""
    tracked: Any = OmegaConf.to_container(cfg.tracking, resolve=True)
    return ExperimentTracker(cfg.paths.experiments).start_run(
        tracked["experiment_name"],
        tags=tracked["tags"],
        description=tracked["description"],
        config=cfg,
        overrides=overrides(),
        data=data,
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
