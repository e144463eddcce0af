"""A small app whose sweeps are kept; each version keeps a copy of it, because a resumed sweep must find its code."""

import os
import signal
import time
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from tracking import ExperimentTracker


def go_wrong(cfg: DictConfig) -> None:
    if cfg.x == cfg.raises_at:
        raise ValueError("no such luck")
    if cfg.x == cfg.dies_at and not Path("died").exists():
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.x == cfg.waits_at and Path("hold").exists():
        Path("waiting").write_text(str(os.getpid()))
        time.sleep(600)


@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg: DictConfig) -> float:
    loss = float("nan") if cfg.x == cfg.nan_at else (cfg.x - 2) ** 2 + cfg.rate + 0.25 * cfg.seed
    with ExperimentTracker(cfg.store).start_run(
        "quadratic",
        params={"x": cfg.x, "rate": cfg.rate, "seed": cfg.seed},
        config=OmegaConf.to_yaml(cfg),
        seeds={"python": cfg.seed},
    ) as run:
        print("x is", cfg.x)  # noqa: T201 - so that there is a log
        run.log({"loss": loss + 1}, step=0)
        run.log({"loss": loss}, step=1)
        go_wrong(cfg)
        run.log({"test_loss": loss + 0.5})
        (run.artifacts_dir / "model.json").write_text(f'{{"x": {cfg.x}}}\n')
    return float(loss)


if __name__ == "__main__":
    main()
