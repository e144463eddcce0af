"""A job that takes so many seconds and does nothing; with `notes` it leaves there when it began and when it ended."""

import time
from pathlib import Path

import hydra
from omegaconf import DictConfig


@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg: DictConfig) -> float:
    """Be the job."""
    began = time.monotonic()
    if cfg.seconds:
        time.sleep(cfg.seconds)
    if cfg.notes:
        Path(cfg.notes, str(time.monotonic_ns())).write_text(f"{began} {time.monotonic()}\n")
    return float(cfg.x)


if __name__ == "__main__":
    main()
