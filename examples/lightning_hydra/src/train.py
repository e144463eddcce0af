"""Train what the configs name, test it, and return the metric that they name. Nothing here is podium's."""

import sys
from collections.abc import Iterable
from pathlib import Path

import hydra
import lightning
from omegaconf import DictConfig

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the configs name src.data and src.model


def instantiated(section: DictConfig | None) -> Iterable[object]:
    """Yield the object of each part of a section."""
    for part in (section or {}).values():
        yield hydra.utils.instantiate(part)


@hydra.main(version_base="1.3", config_path="../configs", config_name="train.yaml")
def main(cfg: DictConfig) -> float | None:
    """Train a model; return `optimized_metric`."""
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    data = hydra.utils.instantiate(cfg.data)
    model = hydra.utils.instantiate(cfg.model)
    callbacks, loggers = list(instantiated(cfg.callbacks)), list(instantiated(cfg.logger))
    trainer = hydra.utils.instantiate(cfg.trainer, callbacks=callbacks, logger=loggers)
    trainer.fit(model, data)
    metrics = dict(trainer.callback_metrics)
    if cfg.test:
        trainer.test(model, data, ckpt_path="best", verbose=False)
    return metrics[cfg.optimized_metric].item() if cfg.optimized_metric else None


if __name__ == "__main__":
    main()
