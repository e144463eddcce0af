"""Models of a user (one works, one crashes, one asks to stop), and readers of their runs."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from tracking import ExperimentTracker, active_run
from trainer.data.splits import by_ratio
from trainer.data.tensors import Splits

QUICK = ("data.rows=2000", "training.epochs=2", "model.hidden_dims=[16]", "device=cpu")


class Tiny(nn.Module):
    def __init__(self, input_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_dim, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def make_tiny(input_dim: int) -> Tiny:
    return Tiny(input_dim)


def load_data(*, rows: int) -> Splits:
    x = torch.linspace(-1, 1, rows).numpy()
    parts = by_ratio((x > 0).astype("float32"), val_fraction=0.2, test_fraction=0.2, seed=0)
    return Splits.cut({"x": x, "y": (x > 0).astype("float32")}, parts, target="y")


class Broken(Tiny):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            raise RuntimeError("a bug in the model")
        return super().forward(x)


class Asks(Tiny):
    """Asks its run to stop during the first epoch, as a sweep does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        run = active_run()
        if run is not None:
            (run.run_dir / "stop").touch()
        return super().forward(x)


def only_run(store: Path) -> dict[str, Any]:
    (run,) = ExperimentTracker(store).list_runs()
    found = ExperimentTracker(store).get_run(run["run_id"])
    assert found is not None
    return found


def final(run: dict[str, Any]) -> dict[str, float]:
    return {name: history[-1]["value"] for name, history in run["metrics"].items()}


def wipe() -> None:
    """A function that is no loader."""
    raise AssertionError("called")


wiping = lambda: wipe()  # noqa: E731 - whose name is no name of a function


class Wiper:
    """A class that is no loader."""

    def __init__(self) -> None:
        wipe()

    @staticmethod
    def wipe() -> Splits:
        """A method, whatever it says that it returns."""
        raise AssertionError("called")


class Noisy(Tiny):
    """Draws from torch's global generator while it trains."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x + 0.1 * torch.randn_like(x) if self.training else x)
