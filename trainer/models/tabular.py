"""The first two models under the names that configs, saved models and documents use: `trainer.models.tabular.NAME`."""

from trainer.models.linear import LogisticRegression
from trainer.models.mlp import TabularClassifier

__all__ = ["LogisticRegression", "TabularClassifier"]
