"""Predict how long a delivery takes: least squares on powers of the distance."""

import json
from pathlib import Path

import hydra
import numpy as np
from hydra.core.hydra_config import HydraConfig
from model import features, predict
from omegaconf import DictConfig
from orders import part

from tracking import ExperimentTracker


@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Fit a model, log how well it predicts the rows that choose, and keep it as a file."""
    train, choose = part("train"), part("choose")
    with ExperimentTracker("experiments").start_run("deliveries", params=dict(cfg)) as run:
        x = features(train, cfg.degree)
        weights = np.linalg.solve(x.T @ x + cfg.penalty * np.eye(x.shape[1]), x.T @ train.minutes)
        model = {"degree": cfg.degree, "weights": weights.tolist()}
        errors = choose.minutes - predict(model, choose)
        run.log({"val_rmse": float(np.sqrt(np.mean(errors**2)))})
        file = Path(HydraConfig.get().runtime.output_dir, "model.json")
        file.write_text(json.dumps(model))
        run.log_artifact(file)


if __name__ == "__main__":
    main()
