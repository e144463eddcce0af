"""Losses and optimizers of the user: what fits trains, what does not is named, before a run is made where it can be."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig
from own_models import QUICK, final, only_run

from trainer import ConfigError
from trainer.config import check
from trainer.task import train

Compose = Callable[..., DictConfig]


def own(section: str, name: str, *more: str) -> list[str]:
    return [f"++{section}._target_=own_losses.{name}", *more]


@pytest.mark.parametrize(
    "overrides",
    [
        own("loss", "margin", "++loss.width=1"),
        own("loss", "ByRow"),
        own("loss", "ByRow", "++loss.positive=5"),
        ["++loss._target_=torch.nn.BCEWithLogitsLoss", "++loss.reduction=sum"],
        ["++loss._target_=torch.nn.BCEWithLogitsLoss", "++loss.pos_weight={_target_: torch.tensor, data: [3.0]}"],
        own("optimizer", "Cautious", "++training.gradient_clip=1", "++training.ema=0.9"),
        ["optimizer._target_=torch.optim.LBFGS", "++training.gradient_clip=1", "++training.ema=0.9"],
        ["optimizer._target_=torch.optim.RMSprop"],
    ],
)  # fmt: skip
def test_what_fits_trains(composed: Compose, store: Path, overrides: list[str]) -> None:
    train(composed(*QUICK, "training.epochs=1", *overrides))
    assert 0 <= final(only_run(store))["test_auc"] <= 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            own("loss", "of_logits"),
            r"is of_logits\(logits: torch\.Tensor\); it is called with \(logits, target\)",
        ),
        (
            own("loss", "margin"),
            r"is margin\(logits: .*width: float\); it is called with \(logits, target\)$",
        ),
        (own("loss", "margin", "++loss.widht=1"), r"it is called with \(logits, target, widht=\.\.\.\)"),
        (own("loss", "margins"), r"own_losses\.py defines no 'margins' \(did you mean margin"),
    ],
)
def test_a_function_that_is_no_loss_is_refused_before_a_job_starts(
    composed: Compose, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check(composed(*QUICK, *overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (own("loss", "Takes3"), r"missing a required argument: 'other'; a loss is called with logits and target"),
        (["++loss._target_=torch.nn.BCEWithLogitsLoss", "++loss.pos_weight=[3.0]"],
         r"a tensor is written pos_weight=\{_target_: torch\.tensor, data: \[\.\.\.\]\}"),
    ],
)  # fmt: skip
def test_an_object_that_is_no_loss_makes_no_run(
    composed: Compose, store: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(composed(*QUICK, *overrides))
    assert not store.exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (own("loss", "two_numbers"), r"returned a tensor of shape \(2,\) for 256 rows; allowed is one loss, or one per row"),
        (own("loss", "constant"), r"returned a loss that does not depend on the logits"),
        (own("optimizer", "TakesAll"), r"unexpected keyword argument 'betas'; it was given betas=.*~optimizer\.KEY leaves one"),
    ],
)  # fmt: skip
def test_what_only_a_call_can_show_is_named(composed: Compose, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(composed(*QUICK, "training.batch_size=256", *overrides))
