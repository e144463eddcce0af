"""A Hydra app that trains a booster of XGBoost, round by round."""

import hydra
import xgboost
from omegaconf import DictConfig, OmegaConf
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from tracking.integrations.xgboost import TrackingCallback


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(cfg: DictConfig) -> None:
    """Train on most of the biopsies; XGBoost evaluates the rest after each round."""
    rows, labels = load_breast_cancer(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(rows, labels, random_state=cfg.seed)
    xgboost.train(
        OmegaConf.to_container(cfg.booster),
        xgboost.DMatrix(x_train, y_train),
        cfg.rounds,
        evals=[(xgboost.DMatrix(x_valid, y_valid), "valid")],
        callbacks=[TrackingCallback()],
        verbose_eval=False,
    )


if __name__ == "__main__":
    main()
