"""Trains a tabular model from a config. The public names load torch when first used."""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

from trainer.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DivergedError,
    LoadError,
    ModelError,
    TrainerError,
)

if TYPE_CHECKING:
    from trainer.job.resume import Checkpoint
    from trainer.job.steps import build_model, load_data, save_model
    from trainer.saved_model import Predictor, build, load_model
    from trainer.scoring import Scores, evaluate
    from trainer.training.loop import fit

# A folder trainer/ of the user's that has no __init__.py is hidden by this package; its modules are found here all the same.
__path__ = extend_path(__path__, __name__)

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DivergedError",
    "LoadError",
    "ModelError",
    "Predictor",
    "Scores",
    "TrainerError",
    "build",
    "build_model",
    "evaluate",
    "fit",
    "load_data",
    "load_model",
    "save_model",
]

_LAZY = {
    "Checkpoint": "trainer.job.resume",
    "Predictor": "trainer.saved_model",
    "Scores": "trainer.scoring",
    "build": "trainer.saved_model",
    "build_model": "trainer.job.steps",
    "evaluate": "trainer.scoring",
    "fit": "trainer.training.loop",
    "load_data": "trainer.job.steps",
    "load_model": "trainer.saved_model",
    "save_model": "trainer.job.steps",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'trainer' has no attribute {name!r}")
    # Not at the top: a module of the user's may hide the tracker, which a message says.
    import_module("tracking.extras").require("trainer")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value  # later uses find it without this function
    return value
