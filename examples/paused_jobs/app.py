"""A Hydra app that a search can pause: it asks after each epoch, and goes on from a checkpoint of its own."""

import json
import random

import hydra
from omegaconf import DictConfig

from tracking import active_run


@hydra.main(config_path=".", config_name="config", version_base="1.3")
def app(cfg: DictConfig) -> float:
    """Walk downhill from 1; too large a rate overshoots."""
    run = active_run()
    checkpoint = run.artifacts_dir / "checkpoint.json"  # a paused job goes on in its run, where this lies
    random.seed(cfg.seed)
    state = {"epoch": 0, "x": 1.0, "draws": None}
    if checkpoint.exists():
        state = json.loads(checkpoint.read_text())
        version, draws, left = state["draws"]
        random.setstate((version, tuple(draws), left))
    while state["epoch"] < cfg.epochs:
        noise = random.gauss(0, cfg.noise)
        state["epoch"] += 1
        state["x"] -= cfg.rate * (2 * state["x"] + noise)
        run.log({"loss": state["x"] ** 2}, step=state["epoch"])
        if run.should_stop():  # waits for the judgement, if there is one
            checkpoint.write_text(json.dumps({**state, "draws": random.getstate()}))
            break
    return state["x"] ** 2


if __name__ == "__main__":
    app()
