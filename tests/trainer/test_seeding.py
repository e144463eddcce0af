"""A run gives the same numbers alone and beside others, and restores torch's global random state."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from trainer.data.load import load
from trainer.data.tensors import Dataset
from trainer.models.network import build_module
from trainer.seeding import Ambient, derive, generator
from trainer.targets import bound
from trainer.training.loop import fit
from trainer.training.optim import build_optimizer

CONF = Path(__file__).resolve().parents[2] / "conf" / "data"
OURS = {
    "_target_": "trainer.models.tabular.TabularClassifier",
    "hidden_dims": [16, 8],
    "dropout": 0.3,
}
FOREIGN = {
    "_target_": "torch.nn.Sequential",
    "_args_": [
        {"_target_": "torch.nn.LazyLinear", "out_features": 8},
        {"_target_": "torch.nn.Dropout", "p": 0.5},
        {"_target_": "torch.nn.Linear", "in_features": 8, "out_features": 1},
    ],
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    section = OmegaConf.to_container(OmegaConf.load(CONF / "ctr.yaml"))
    return load({**section, "rows": 1500})


def trained(
    spec: dict[str, Any], data: Dataset, *, seed: int = 0, between: Callable[..., Any] = lambda *_: None
) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    module, _ = build_module(spec, data.shape, seed=seed)
    between()
    adam = {"_target_": "torch.optim.Adam"}
    optimizer = build_optimizer(adam, module, learning_rate=1e-3, weight_decay=0.0)
    history: list[dict[str, float]] = []

    def log(metrics: dict[str, float], step: int) -> None:
        history.append(metrics)
        between()

    fit(module, data, optimizer, epochs=2, batch_size=128, seed=seed, log=log)
    return history, module.state_dict()


@pytest.fixture
def restored() -> Iterator[None]:
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def elsewhere() -> None:
    torch.manual_seed(int(torch.randint(1000, ())))
    torch.rand(17)


@pytest.mark.parametrize("spec", [OURS, FOREIGN], ids=["ours", "foreign"])
def test_a_run_gives_the_same_numbers_alone_and_when_others_draw_in_between(
    spec: dict[str, Any], data: Dataset, restored: None
) -> None:
    alone, weights = trained(spec, data)
    torch.manual_seed(99)
    crowded, again = trained(spec, data, between=elsewhere)
    assert crowded == alone
    assert all(torch.equal(weights[name], again[name]) for name in weights)


@pytest.mark.parametrize("spec", [OURS, FOREIGN], ids=["ours", "foreign"])
def test_training_leaves_the_global_state_as_it_was(spec: dict[str, Any], data: Dataset) -> None:
    before = torch.get_rng_state()
    trained(spec, data)
    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_gives_other_numbers(data: Dataset) -> None:
    assert trained(OURS, data, seed=1)[0] != trained(OURS, data, seed=0)[0]


def test_purposes_and_seeds_have_unrelated_streams() -> None:
    seeds = {derive(seed, purpose) for seed in range(50) for purpose in ("init", "order", "dropout")}
    assert len(seeds) == 150


def test_the_length_of_one_stream_leaves_the_others_alone() -> None:
    generator(0, "order").get_state()
    long = generator(0, "dropout")
    torch.rand(1000, generator=long)
    assert torch.equal(
        torch.randperm(9, generator=generator(0, "order")), torch.randperm(9, generator=generator(0, "order"))
    )


def test_a_lent_stream_goes_on_where_it_stopped_and_comes_back_after_an_error() -> None:
    before = torch.get_rng_state()
    stream, whole = Ambient(3, "foreign"), Ambient(3, "foreign")
    with stream.lent():
        first = torch.rand(2)
    with pytest.raises(KeyError), stream.lent():
        raise KeyError
    with stream.lent():
        second = torch.rand(2)
    with whole.lent():
        assert torch.equal(torch.cat([first, second]), torch.rand(4))
    assert torch.equal(torch.get_rng_state(), before)


def test_our_models_draw_all_their_weights_from_the_generator() -> None:
    for target in ("TabularClassifier", "LogisticRegression"):
        spec = {"_target_": f"trainer.models.tabular.{target}", "input_dim": 3, "cardinalities": [4, 5]}
        torch.manual_seed(1)
        before = torch.get_rng_state()
        module: nn.Module = bound("model", spec)(generator=generator(0, "init"))
        assert torch.equal(torch.get_rng_state(), before)
        assert all(each.isfinite().all() for each in module.parameters())
