"""Train a classifier: compose, instantiate, fit, test, return the metric that the config names."""

import os
import sys
from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import DictConfig

from hydra_plugins.podium.versions import current_defaults


def setup_root(search_from: str, indicator: str = ".project-root") -> Path:
    """Find the root of the project; put it into the environment and onto the path."""
    here = Path(search_from).resolve()
    root = next(folder for folder in here.parents if (folder / indicator).exists())
    os.environ["PROJECT_ROOT"] = str(root)
    sys.path.insert(0, str(root))
    return root


setup_root(__file__)

from src.utils.instantiators import instantiate_each  # noqa: E402 - the path is set above
from src.utils.logging_utils import RankedLogger  # noqa: E402 - the path is set above
from src.utils.task import extras, get_metric_value, task_wrapper  # noqa: E402 - the path is set above

log = RankedLogger(__name__)


@task_wrapper
def train(cfg: DictConfig) -> tuple[dict[str, float], dict[str, Any]]:
    if cfg.get("seed") is not None:
        torch.manual_seed(cfg.seed)
    log.info(f"Instantiating datamodule <{cfg.data._target_}>")
    datamodule = hydra.utils.instantiate(cfg.data)
    log.info(f"Instantiating model <{cfg.model._target_}>")
    model = hydra.utils.instantiate(cfg.model)
    callbacks = instantiate_each(cfg.get("callbacks"))
    logger = instantiate_each(cfg.get("logger"))
    trainer = hydra.utils.instantiate(cfg.trainer, callbacks=callbacks, logger=logger)
    objects = {"cfg": cfg, "datamodule": datamodule, "model": model, "trainer": trainer}
    trainer.fit(model=model, datamodule=datamodule)
    metrics = dict(trainer.callback_metrics)
    if cfg.get("test"):
        checkpoint = callbacks[0].best_model_path if callbacks else None
        trainer.test(model=model, datamodule=datamodule, checkpoint=checkpoint)
    return {**metrics, **trainer.callback_metrics}, objects


@hydra.main(config_path="../configs", config_name="train.yaml", **current_defaults())
def main(cfg: DictConfig) -> float | None:
    extras(cfg)
    metrics, _ = train(cfg)
    return get_metric_value(metrics, cfg.get("optimized_metric"))


if __name__ == "__main__":
    main()
