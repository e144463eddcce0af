"""Defaults that follow from a config: what the gate scores with, and whose code it may use for that."""

from collections.abc import Callable

import pytest
from omegaconf import DictConfig

Compose = Callable[..., DictConfig]


def test_the_gate_scores_our_models_and_no_others(composed: Compose) -> None:
    assert composed().promotion.scorer == "trainer.promotion.score"
    assert composed("+task._target_=my_train.train").promotion.scorer is None


@pytest.mark.parametrize(
    ("overrides", "allowed"),
    [
        ((), []),
        (("data=breast_cancer", "model._target_=torch.nn.Sequential"), []),
        (("model._target_=my_models.deep.Net",), ["my_models", "my_models.deep.Net"]),
        (("data._target_=my_data.load",), ["my_data", "my_data.load"]),
        (("+model.body={_target_: my_layers.Wide}",), ["my_layers", "my_layers.Wide"]),
        (("+metrics.mcc._target_=sklearn.metrics.matthews_corrcoef",), ["sklearn.metrics.matthews_corrcoef"]),
        (("+metrics.mcc=null", "+metrics.own._target_=my_metrics.own"), ["my_metrics.own"]),
    ],
)
def test_the_gate_may_use_what_the_config_of_its_sweep_names(
    composed: Compose, overrides: tuple[str, ...], allowed: list[str]
) -> None:
    assert composed(*overrides).promotion.allow == allowed
