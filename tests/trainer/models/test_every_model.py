"""Every model of ours trains, saves, loads and predicts; it learns what a linear model cannot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from own_models import final, only_run
from torch import nn

from trainer import evaluate, fit, load_model
from trainer.data.splits import by_ratio
from trainer.data.tensors import Dataset, Shape, Splits, encode
from trainer.models.network import build_module, observe
from trainer.models.numeric_embeddings import BINS, bin_edges
from trainer.schema import TARGETS
from trainer.targets import imported
from trainer.task import train

Compose = Callable[..., DictConfig]
CONF = Path(__file__).resolve().parents[3] / "conf" / "model"
MODELS = ("mlp", "logistic", "resnet", "dcn", "deepfm", "ft_transformer", "tabm")
SHAPE = Shape(3, (4, 5))
SMALL = {
    "hidden_dims": [16], "width": 16, "members": 4, "blocks": 2, "heads": 2, "embedding_dim": 4, "cross_layers": 2,
}  # fmt: skip


def spec(name: str, **more: Any) -> dict[str, Any]:
    section: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    return {**section, **{key: value for key, value in SMALL.items() if key in section}, **more}


def made(name: str, shape: Shape = SHAPE, *, seed: int = 0, outputs: int = 1, **more: Any) -> nn.Module:
    return build_module(spec(name, **more), shape, seed=seed, outputs=outputs)[0]


def batch(rows: int, shape: Shape, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    codes = [torch.randint(size, (rows, 1), generator=draw) for size in shape.cardinalities]
    empty = torch.empty(rows, 0, dtype=torch.int64)
    return torch.randn(rows, shape.numeric, generator=draw), torch.cat([empty, *codes], dim=1)


def test_each_config_of_a_model_has_its_rules_and_is_tested() -> None:
    assert {each.stem for each in CONF.glob("*.yaml")} == set(MODELS)
    assert {spec(name)["_target_"] for name in MODELS} == set(TARGETS["model"])
    for name in MODELS:
        section = spec(name)
        assert {"_target_", *TARGETS["model"][section["_target_"]]} == set(section)


@pytest.mark.parametrize(
    ("name", "embedding"),
    [*((name, None) for name in MODELS), ("mlp", "piecewise"), ("mlp", "periodic"), ("tabm", "piecewise")],
)
def test_a_model_trains_saves_loads_and_predicts_the_same(
    composed: Compose, store: Path, name: str, embedding: str | None
) -> None:
    small = [f"model.{key}={value}" for key, value in SMALL.items() if key in spec(name)]
    train(
        composed(
            "data.rows=600", "training.epochs=1", "device=cpu", f"model={name}", *small,
            f"model.numeric_embedding={embedding or 'null'}",
        )
    )  # fmt: skip
    logged = final(only_run(store))
    scores = load_model(store / "runs/run_001").evaluate()
    assert scores.named() == {key: logged[key] for key in scores.named()}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("embedding", [None, "piecewise", "periodic"])
@pytest.mark.parametrize("shape", [Shape(3, (4, 5)), Shape(3, ()), Shape(0, (4,)), Shape(1, (2,))])
@pytest.mark.parametrize("outputs", [1, 3])
def test_any_mix_of_columns_and_one_row_or_many_give_logits_of_the_right_shape(
    name: str, embedding: str | None, shape: Shape, outputs: int
) -> None:
    module = made(name, shape, outputs=outputs, numeric_embedding=embedding).eval()
    for rows in (1, 7):
        members = () if name != "tabm" else (4,)
        assert module(*batch(rows, shape)).shape == (rows, *members, *((outputs,) * (outputs > 1)))
        chances = module.predict(*batch(rows, shape))
        assert chances.shape == (rows, *((outputs,) * (outputs > 1)))
        assert ((chances > 0) & (chances < 1)).all()
        if outputs > 1:
            assert torch.allclose(chances.sum(dim=1), torch.ones(rows))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("embedding", [None, "piecewise", "periodic"])
def test_gradients_reach_every_parameter(name: str, embedding: str | None) -> None:
    module = made(name, numeric_embedding=embedding).train()
    numeric, codes = batch(64, SHAPE)
    observe(module, numeric)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():  # what starts at one or zero may hide what it multiplies
        for each in module.parameters():
            each.add_(0.05 * torch.randn(each.shape, generator=draw))
    module(numeric, codes).square().sum().backward()
    assert [
        name for name, each in module.named_parameters() if each.grad is None or not each.grad.any()
    ] == []


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("embedding", [None, "piecewise", "periodic"])
def test_a_seed_gives_the_same_weights_whatever_the_global_state(name: str, embedding: str | None) -> None:
    target = imported("model", spec(name))
    arguments = {key: value for key, value in spec(name).items() if key != "_target_"}

    def weights(seed: int) -> list[torch.Tensor]:
        torch.rand(3)
        drawn = torch.Generator().manual_seed(seed)
        sizes = {"input_dim": 3, "cardinalities": [4, 5], "generator": drawn, "numeric_embedding": embedding}
        return list(target(**{**arguments, **sizes}).state_dict().values())

    assert all(map(torch.equal, weights(1), weights(1)))
    assert not all(map(torch.equal, weights(1), weights(2)))


def data_of(columns: dict[str, Any], target: Any, categorical: tuple[str, ...] = ()) -> Dataset:
    parts = by_ratio(target, val_fraction=0.2, test_fraction=0.2, seed=0)
    splits = Splits.cut({**columns, "y": target}, parts, target="y", categorical=categorical)
    return encode(splits, transform="standard", min_frequency=1)


def learned(name: str, data: Dataset, *, epochs: int = 25, rate: float = 1e-2, **more: Any) -> float:
    module, seen = made(name, data.shape, **more), [0.0]
    fit(
        module, data, torch.optim.Adam(module.parameters(), rate), epochs=epochs, batch_size=64,
        log=lambda metrics, _: seen.append(metrics["val_auc"]), should_stop=lambda: seen[-1] > 0.98,
    )  # fmt: skip
    return evaluate(module, data.test).auc


@pytest.fixture(scope="module")
def exclusive_or() -> Dataset:
    draw = np.random.default_rng(0)
    x, z = draw.normal(size=(2, 1500))
    return data_of({"x": x, "z": z}, (x * z > 0).astype(np.float32))


@pytest.fixture(scope="module")
def interaction() -> Dataset:
    """The product of latent vectors of two categories, which neither category tells alone."""
    draw = np.random.default_rng(0)
    user, item = draw.integers(0, 12, size=(2, 3000))
    latent = draw.normal(size=(2, 12, 2))
    target = ((latent[0][user] * latent[1][item]).sum(axis=1) > 0).astype(np.float32)
    return data_of({"user": user, "item": item}, target, categorical=("user", "item"))


def test_a_linear_model_learns_neither_products_nor_interactions(
    exclusive_or: Dataset, interaction: Dataset
) -> None:
    assert learned("logistic", exclusive_or) < 0.65
    assert learned("logistic", interaction) < 0.75


@pytest.mark.parametrize("name", [each for each in MODELS if each != "logistic"])
def test_every_other_model_learns_products_and_interactions(
    exclusive_or: Dataset, interaction: Dataset, name: str
) -> None:
    more = {"hidden_dims": [32]} if "hidden_dims" in spec(name) else {}
    for data in (exclusive_or, interaction):
        assert learned(name, data, **more) > 0.95


@pytest.mark.parametrize("name", ["dcn", "deepfm"])
def test_products_alone_learn_an_interaction_without_a_perceptron(interaction: Dataset, name: str) -> None:
    """Without hidden layers only the cross layers, or the factorisation machine, can."""
    assert learned(name, interaction, hidden_dims=[]) > 0.95


@pytest.mark.parametrize("embedding", ["piecewise", "periodic"])
def test_an_embedding_lets_a_linear_model_bend_a_number(embedding: str) -> None:
    x = np.random.default_rng(0).normal(size=2000)
    data = data_of({"x": x}, (np.abs(x) > 0.7).astype(np.float32))
    assert learned("logistic", data, rate=3e-2) < 0.65
    assert learned("logistic", data, rate=3e-2, numeric_embedding=embedding) > 0.95


def test_the_members_of_an_ensemble_differ_before_and_after_training(exclusive_or: Dataset) -> None:
    module = made("tabm", exclusive_or.shape)
    rows = exclusive_or.test.numeric, exclusive_or.test.categorical
    for _ in range(2):
        logits = module.eval()(*rows)
        assert logits.shape == (len(rows[0]), 4)
        assert all(not torch.allclose(logits[:, 0], logits[:, other]) for other in (1, 2, 3))
        fit(module, exclusive_or, torch.optim.Adam(module.parameters(), 1e-2), epochs=3, batch_size=64)


def test_the_adapters_of_a_column_start_as_one_number_for_all_of_its_embedding() -> None:
    first = made("tabm", numeric_embedding="piecewise").layers[0].before
    assert torch.equal(first[:, :4], first[:, :1].expand(-1, 4))
    signs = made("tabm").layers[0].before
    assert set(signs.flatten().tolist()) == {-1.0, 1.0}


def test_the_prediction_of_an_ensemble_is_the_mean_of_its_members_probabilities(
    exclusive_or: Dataset,
) -> None:
    module = made("tabm", exclusive_or.shape).eval()
    split = exclusive_or.test
    with torch.no_grad():
        chances = torch.sigmoid(module(split.numeric, split.categorical).double()).mean(dim=1)
    assert np.allclose(evaluate(module, split).probabilities, chances.numpy(), rtol=0, atol=1e-12)
    assert torch.allclose(module.predict(split.numeric, split.categorical), chances.float())


def test_bins_are_those_of_the_training_rows_and_are_saved_with_the_weights() -> None:
    module = made("mlp", Shape(3, ()), numeric_embedding="piecewise").numeric
    rows = torch.stack([torch.arange(100.0), torch.ones(100), torch.arange(100.0) % 2], dim=1)
    observe(module, rows)
    bins = (module.slope > 0).sum(dim=1).tolist()
    assert bins == [32, 0, 1]  # as many as there are, none for a constant, one for a flag
    before = module.state_dict()["left"].clone()
    observe(module, rows * 5)
    assert torch.equal(module.left, before)
    assert torch.isfinite(module(torch.tensor([[-1e6, 1e6, 3.0]]))).all()


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("mlp", {"numeric_embedding": "fourier"}, "numeric_embedding='fourier': allowed are null, piecewise and periodic"),
        ("dcn", {"structure": "serial"}, "structure='serial': allowed are stacked and parallel"),
        ("ft_transformer", {"heads": 3}, "embedding_dim=4: a multiple of heads=3 is needed"),
    ],
)  # fmt: skip
def test_an_argument_that_does_not_fit_is_named(name: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(name, **more)


@pytest.mark.parametrize("more", [{"structure": "stacked"}, {"rank": 2}, {"cross_layers": 1}])
def test_the_other_shapes_of_a_cross_network_train(interaction: Dataset, more: dict[str, Any]) -> None:
    assert learned("dcn", interaction, epochs=10, **more) > 0.9


def test_a_value_of_most_rows_takes_one_edge_and_leaves_the_bins_to_the_rest() -> None:
    draw = np.random.default_rng(0)
    values = np.concatenate([np.zeros(9000), draw.normal(5, 1, 1000)])
    edges = bin_edges(values)
    assert len(edges) == BINS + 1
    assert sum(edges > 1) == BINS
    assert bin_edges(np.array([3.0, 1.0, 1.0])).tolist() == [1, 3]
    assert len(bin_edges(draw.normal(size=5000))) == BINS + 1
