"""A small Hydra app that learns: its loss falls towards the bowl around x = 0.2, and it goes on from a checkpoint of its own."""

import json
import os
import signal
import time
from pathlib import Path

import hydra
from omegaconf import DictConfig

from hydra_plugins.podium.versions import current_defaults
from tracking import ExperimentTracker


def loss_of(cfg: DictConfig, epoch: int) -> float:
    if cfg.fault == "spoils" and cfg.x > 0.6:
        return float("nan")
    return float((cfg.x - 0.2) ** 2 + 0.01 * cfg.y + 1.0 / epoch + 1e-3 * cfg.seed)


def go_wrong(cfg: DictConfig, epoch: int) -> None:
    if cfg.fault == "region" and cfg.x > 0.5:
        raise ValueError("too far")
    if cfg.fault == "crashes" and cfg.x > 0.5:
        os.kill(os.getpid(), signal.SIGSEGV)
    if cfg.fault == "dies_once" and epoch == 2 and cfg.x > 0.5:
        try:
            Path(f"died-{cfg.x}").touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.fault == "waits" and epoch == 3:
        Path(f"waiting-{os.getpid()}").touch()
        time.sleep(600)
    if cfg.fault == "breaks_the_ledger":
        (ledger,) = Path().glob("experiments/sweeps/*/jobs.jsonl")
        ledger.unlink()
        ledger.mkdir()
    if cfg.fault == "slow":
        time.sleep(0.05)


@hydra.main(config_path=".", config_name="config", **current_defaults())
def main(cfg: DictConfig) -> float | None:
    state = Path(hydra.core.hydra_config.HydraConfig.get().runtime.output_dir, "losses.json")
    losses = json.loads(state.read_text()) if cfg.asks and state.exists() else []
    tracker = ExperimentTracker(cfg.store)
    with tracker.start_run("learner", params={"x": cfg.x}) as run:
        record = tracker.record(run.run_id)
        has_logged = record.summary["loss"].count if record and "loss" in record.summary else 0
        for epoch in range(1, cfg.epochs + 1):
            if epoch > len(losses):
                go_wrong(cfg, epoch)
                losses.append(loss_of(cfg, epoch))
            if epoch > has_logged:
                run.log({"loss": losses[epoch - 1], "cost": cfg.x * 10}, step=epoch)
                whole = state.with_suffix(".whole")  # a job may be killed while it writes
                whole.write_text(json.dumps(losses))
                whole.replace(state)
                if cfg.asks and run.should_stop():
                    break
    return None


if __name__ == "__main__":
    main()
