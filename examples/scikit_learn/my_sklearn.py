"""An estimator of scikit-learn as the model.

A file of pickles runs code when it is loaded, so none is written. The estimator is part of the module's state as bytes of
skops, which rebuilds the types of scikit-learn alone.
"""

import numpy as np
import torch
from hydra.utils import get_class
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from skops import io
from torch import nn

from trainer import build_model, evaluate, load_data, save_model
from trainer.models.network import flatten


class Estimator(nn.Module):
    """An estimator as a module: features in, logits out, or values of a regression."""

    def __init__(self, output_dim: int, estimator: str, arguments: dict) -> None:
        super().__init__()
        found = get_class(estimator) if estimator.startswith("sklearn.") else None
        if found is None or not issubclass(found, BaseEstimator):
            raise ValueError(f"model.estimator={estimator}: allowed is an estimator of scikit-learn")
        self.estimator, self.outputs = found(**arguments), output_dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits [N], those of K classes [N, K]; zeros before the estimator is fitted."""
        try:
            check_is_fitted(self.estimator)
        except NotFittedError:
            return torch.zeros(len(x), self.outputs)
        rows = x.numpy()
        if not is_classifier(self.estimator):
            return torch.from_numpy(np.asarray(self.estimator.predict(rows), np.float32))
        chances = np.clip(self.estimator.predict_proba(rows), 1e-7, 1)
        logits = np.log(chances)
        return torch.from_numpy(logits[:, 1] - logits[:, 0] if self.outputs == 1 else logits)

    def get_extra_state(self) -> torch.Tensor:
        """Return the estimator as bytes, for the state dict."""
        return torch.frombuffer(bytearray(io.dumps(self.estimator)), dtype=torch.uint8)

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Rebuild the estimator from the bytes of a state dict; types that are not scikit-learn's are refused."""
        data = state.numpy().tobytes()
        known = [each for each in io.get_untrusted_types(data=data) if each.startswith("sklearn.")]
        self.estimator = io.loads(data, trusted=known)


def train(config, run):
    """Fit the estimator to the training rows, score it and save it as any other model."""
    data = load_data(config, run)
    model = build_model(config, data)
    rows = flatten(data.train.numeric, data.train.categorical, data.shape.cardinalities)
    model.estimator.fit(rows.numpy(), data.train.target.numpy())
    run.log({"val_auc": evaluate(model, data.val, data=data).auc})
    run.log(evaluate(model, data.test, data=data).named())
    save_model(run, model, config, data)
