"""A job that takes `seconds` and does nothing; it writes when it began and ended into the folder `notes`, if given."""

import time
from pathlib import Path

import hydra
from omegaconf import DictConfig


@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg: DictConfig) -> float:
    """Run the job."""
    began = time.monotonic()
    if cfg.seconds:
        time.sleep(cfg.seconds)
    if cfg.notes:
        Path(cfg.notes, str(time.monotonic_ns())).write_text(f"{began} {time.monotonic()}\n")
    return float(cfg.x)


if __name__ == "__main__":
    main()
