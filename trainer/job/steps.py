"""What our training is made of, for a training function of the user: the data and the model of a config, and saving both.

`fit` and `evaluate` are the other parts; see `trainer`.
"""

import json
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn

from tracking import Run
from tracking.files import write_bytes
from trainer.data.load import load
from trainer.data.profile import PROFILE
from trainer.data.tensors import Dataset
from trainer.errors import ModelError
from trainer.job import auto
from trainer.models.network import build_module, complete
from trainer.saved_model import save_model as save
from trainer.targets import imported

SETTLED = (
    "training",
    "model",
    "optimizer",
    "scheduler",
)  # sections whose keys may be auto, or refer to one that is


def load_data(config: DictConfig, run: Run | None = None, *, task: str | None = None) -> Dataset:
    """Load and encode the data of a config, and note in a run which they are.

    What is `auto` in `config.training`, such as `epochs`, becomes the number for so many training rows, in the config and in
    the run's parameters.

    Models of the same data can be ranked against each other. `task` is `binary`, `multiclass` or `regression`; None: the
    target says it. Raise DataError for data that cannot be used.
    """
    data = load(_plain(config.data), task=task)
    numbers = _settle(config, len(data.train))
    if run is not None:
        run.log_params(numbers)
        run.set_data(data.describe())
        if data.profile is not None:
            text = json.dumps(data.profile.to_json(), indent=1)
            write_bytes(run.artifacts_dir / PROFILE, text.encode() + b"\n")
    return data


def _settle(config: DictConfig, rows: int) -> dict[str, Any]:
    """Replace each `auto` of the training section; return what changed, also where another section refers to it."""
    if not {"batch_size", "epochs"} <= {*(config.get("training") or ())}:
        return {}  # a section of the user's own
    before = {name: _plain(config[name]) for name in SETTLED if config.get(name)}
    config.training.update(auto.chosen(before["training"], rows))
    return {
        key: value
        for name, known in before.items()
        for key, value in _plain(config[name]).items()
        if value != known[key]
    }


def build_model(config: DictConfig, data: Dataset) -> nn.Module:
    """Build the model of a config for a data set; its initial weights depend on the seed. Raise ModelError or ConfigError."""
    module, _ = build_module(_plain(config.model), data.shape, seed=config.seed, outputs=data.labels.outputs)
    return module.train()


def save_model(
    run: Run, model: nn.Module, config: DictConfig, data: Dataset, *, spec: Mapping[str, Any] | None = None
) -> None:
    """Save a model with the reader and the encoder of its data, so that `trainer.load_model` loads it.

    The `model` section of the config must be what builds it, or `spec`: {"_target_": "my_models.Net", "width": 8}. Raise
    ModelError for a model of another class.
    """
    spec = complete(spec or _plain(config.model), data.shape, outputs=data.labels.outputs)
    target = imported("model", spec)
    if isinstance(target, type) and not isinstance(model, target):
        raise ModelError(
            f"the model is {type(model).__name__}, and model._target_={spec['_target_']} would build it again; "
            "save what that makes, or pass spec={'_target_': ...}"
        )
    run.log_params(
        {"model": spec["_target_"], **{key: value for key, value in spec.items() if key != "_target_"}}
    )
    save(run.artifacts_dir, model, spec=spec, section=_plain(config.data), data=data)


def _plain(section: DictConfig) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(section, resolve=True)
    return dict(plain)
