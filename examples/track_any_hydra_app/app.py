"""A Hydra app that fits a polynomial to noisy points and does not import podium."""

import hydra
import numpy as np
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(cfg: DictConfig) -> float:
    """Fit the polynomial, and return the error on the validation points."""
    rng = np.random.default_rng(cfg.data.seed)
    x = rng.uniform(-1, 1, cfg.data.points)
    y = np.sin(3 * x) + rng.normal(0, cfg.data.noise, cfg.data.points)
    train, validation = slice(None, None, 2), slice(1, None, 2)

    features = np.vander(x, cfg.degree + 1)
    penalty = cfg.ridge * np.eye(cfg.degree + 1)
    weights = np.linalg.solve(features[train].T @ features[train] + penalty, features[train].T @ y[train])

    error = float(np.mean((features[validation] @ weights - y[validation]) ** 2))
    print(f"degree {cfg.degree}: validation error {error:.4f}")
    return error


if __name__ == "__main__":
    main()
