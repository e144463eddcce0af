"""Any nn.Module trains; one that does not fit is refused before the first epoch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from trainer.data.tensors import Shape
from trainer.errors import ConfigError, ModelError
from trainer.models.network import adapt, build_module, flatten
from trainer.models.tabular import LogisticRegression, TabularClassifier

SHAPE = Shape(3, (4, 5))


class TwoInputs(nn.Module):
    def __init__(self, input_dim: int, cardinalities: list[int], output_dim: int, depth: int = 1) -> None:
        super().__init__()
        self.sizes = (input_dim, cardinalities, output_dim, depth)
        self.linear = nn.Linear(input_dim, output_dim)

    def forward(self, numeric: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        return self.linear(numeric) + codes.sum(1, keepdim=True)


class OneInput(nn.Module):
    def __init__(self, input_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_dim, 1)

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return self.linear(x).squeeze(-1) * scale


class Crashes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        raise RuntimeError("out of ideas")


class TwoOutputs(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


def built(name: str, **arguments: Any) -> tuple[nn.Module, dict[str, Any]]:
    return build_module({"_target_": f"test_models.{name}", **arguments}, SHAPE, seed=0)


def test_a_constructor_gets_the_sizes_it_names_and_the_arguments_of_the_config() -> None:
    module, spec = built("TwoInputs", depth=3)
    assert module.sizes == (3, [4, 5], 1, 3)
    assert spec == {
        "_target_": "test_models.TwoInputs",
        "depth": 3,
        "input_dim": 3,
        "cardinalities": [4, 5],
        "output_dim": 1,
    }


def test_a_module_of_one_input_gets_numbers_and_one_hot_categories_side_by_side() -> None:
    module, spec = built("OneInput")
    assert spec["input_dim"] == 3 + 3 + 4
    numeric, codes = torch.randn(2, 3), torch.tensor([[0, 4], [3, 1]])
    flat = flatten(numeric, codes, SHAPE.cardinalities)
    assert flat[:, 3:].tolist() == [[0, 0, 0, 0, 0, 0, 1], [0, 0, 1, 1, 0, 0, 0]]
    assert torch.equal(adapt(module, SHAPE.cardinalities)(numeric, codes), module(flat))


def test_nested_modules_of_torch_need_no_code() -> None:
    layers = [
        {"_target_": "torch.nn.LazyLinear", "out_features": 4},
        {"_target_": "torch.nn.ReLU"},
        {"_target_": "torch.nn.Linear", "in_features": 4, "out_features": 1},
    ]
    module, _ = build_module({"_target_": "torch.nn.Sequential", "_args_": layers}, SHAPE, seed=0)
    assert module[0].weight.shape == (4, 10)


class Wide(OneInput):
    def __init__(self, input_dim: int, width: int) -> None:
        super().__init__(input_dim)
        self.width = width


class Open(OneInput):
    def __init__(self, input_dim: int, **more: Any) -> None:
        super().__init__(input_dim)
        self.more = more


def test_the_keys_of_our_own_models_are_left_out_for_a_class_that_does_not_name_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    module, spec = built("Wide", width=2, hidden_dims=[4], dropout=0.1)
    assert module.width == 2
    assert set(spec) == {"_target_", "width", "input_dim"}
    assert "test_models.Wide does not take hidden_dims, dropout: left out" in caplog.text


def test_a_class_that_takes_any_keyword_gets_all_of_them() -> None:
    assert built("Open", hidden_dims=[4], deep=1)[0].more == {"hidden_dims": [4], "deep": 1}


def test_the_logistic_regression_keeps_no_key_of_the_perceptron() -> None:
    spec = {"_target_": "trainer.models.tabular.LogisticRegression", "hidden_dims": [4], "dropout": 0.1}
    kept = {"_target_", "input_dim", "output_dim", "cardinalities"}
    assert set(build_module(spec, SHAPE, seed=0)[1]) == kept


def test_a_key_that_a_class_does_not_take_comes_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        ModelError, match=r"model\.widht=3: there is no .*Wide\(.*did you mean model\.width\?"
    ):
        built("Wide", widht=3)


def test_arguments_that_are_missing_are_asked_for_with_the_signature() -> None:
    with pytest.raises(
        ModelError, match=r"Wide\(input_dim: int, width: int\).* needs width: .*\+model\.width=.*--config-dir"
    ):
        built("Wide")


def test_what_a_constructor_raises_is_passed_on() -> None:
    with pytest.raises(RuntimeError, match="out of ideas"):
        built("Crashes")


def test_a_module_with_another_output_is_refused_with_its_shape() -> None:
    with pytest.raises(
        ModelError, match=r"TwoOutputs returned \(2, 2\) for 2 rows; one logit per row is needed"
    ):
        built("TwoOutputs")


def test_a_class_that_is_no_module_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"model\._target_=builtins\.dict returned dict; allowed is a torch\.nn"
    ):
        build_module({"_target_": "builtins.dict"}, SHAPE, seed=0)


def test_a_class_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ConfigError, match=r"model\._target_=nowhere\.Net"):
        build_module({"_target_": "nowhere.Net"}, SHAPE, seed=0)


@pytest.mark.parametrize("model", [TabularClassifier, LogisticRegression])
@pytest.mark.parametrize("shape", [Shape(3, (4, 5)), Shape(3, ()), Shape(0, (4,))])
def test_our_models_take_any_mix_of_columns(model: Any, shape: Shape) -> None:
    made = model(input_dim=shape.numeric, cardinalities=shape.cardinalities)
    codes = (
        torch.stack([torch.randint(size, (7,)) for size in shape.cardinalities], 1)
        if shape.cardinalities
        else torch.empty(7, 0, dtype=torch.int64)
    )
    made.train()
    chances = made.predict(torch.randn(7, shape.numeric), codes)
    assert chances.shape == (7,)
    assert ((chances > 0) & (chances < 1)).all()
    assert made.training
    made(torch.randn(7, shape.numeric), codes).sum().backward()


def test_no_hidden_layer_and_several_outputs_are_allowed() -> None:
    model = TabularClassifier(4, [], output_dim=3)
    assert model(torch.randn(2, 4), torch.empty(2, 0, dtype=torch.int64)).shape == (2, 3)


def test_dropout_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dropout=1: allowed is 0 <= dropout < 1"):
        TabularClassifier(4, [8], dropout=1)


def test_predict_is_repeatable_while_training_mode_drops() -> None:
    model = TabularClassifier(4, [64], dropout=0.5)
    numeric, codes = torch.randn(5, 4), torch.empty(5, 0, dtype=torch.int64)
    model.train()
    assert torch.equal(model.predict(numeric, codes), model.predict(numeric, codes))
    assert not torch.equal(model(numeric, codes), model(numeric, codes))


def test_the_perceptron_takes_the_parameters_of_a_run_and_refuses_a_misspelt_argument() -> None:
    TabularClassifier(3, [4], learning_rate=0.1, batch_size=8)
    with pytest.raises(TypeError, match="no argument 'dropot'"):
        TabularClassifier(3, [4], dropot=0.1)


def test_the_logistic_regression_refuses_an_argument_it_does_not_name() -> None:
    with pytest.raises(TypeError, match="'dropout'"):
        LogisticRegression(3, dropout=0.1)
