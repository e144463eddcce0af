"""Small models, rows and steps for the tests of stacks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from trainer.data.target import Target, TaskKind
from trainer.data.tensors import Split
from trainer.models.dcn import DCN
from trainer.models.deepfm import DeepFM
from trainer.models.mlp import TabularClassifier
from trainer.models.network import Network, adapt, observe, use_dropout_stream
from trainer.models.resnet import ResNet
from trainer.models.tabm import TabM
from trainer.seeding import generator
from trainer.tasks.outputs import task_of
from trainer.training.epoch import Average, StepOptions, Steps
from trainer.training.stack.stack import Stack, Turn
from trainer.watching.divergence import Losses

FEATURES, CARDINALITIES = 5, (4, 6)
LABELS = {
    TaskKind.BINARY: Target("t", classes=("0", "1")),
    TaskKind.MULTICLASS: Target("t", classes=("a", "b", "c"), task=TaskKind.MULTICLASS),
    TaskKind.REGRESSION: Target("t", task=TaskKind.REGRESSION),
}


def rows_of(
    kind: TaskKind = TaskKind.BINARY,
    *,
    count: int = 70,
    cardinalities: Sequence[int] = CARDINALITIES,
    is_weighted: bool = False,
) -> Split:
    drawn = torch.Generator().manual_seed(1)
    numeric = torch.randn(count, FEATURES, generator=drawn)
    codes = torch.zeros(count, len(cardinalities), dtype=torch.int64)
    for column, size in enumerate(cardinalities):
        codes[:, column] = torch.randint(size, (count,), generator=drawn)
    score = numeric.sum(dim=1) + codes.float().sum(dim=1) / 3 + torch.randn(count, generator=drawn)
    target = {
        TaskKind.BINARY: (score > 1).float(),
        TaskKind.MULTICLASS: (score > 0).long() + (score > 2).long(),
        TaskKind.REGRESSION: score,
    }[kind]
    weight = torch.rand(count, generator=drawn) + 0.5 if is_weighted else None
    return Split(numeric, codes, target, weight)


def perceptron(seed: int = 0, dropout: float = 0.2, **options: Any) -> TabularClassifier:
    drawn = torch.Generator().manual_seed(seed)
    sizes = {"hidden_dims": (16, 9), "cardinalities": CARDINALITIES, **options}
    return TabularClassifier(FEATURES, dropout=dropout, generator=drawn, **sizes)


def steps_of(
    model: nn.Module,
    *,
    kind: TaskKind = TaskKind.BINARY,
    cardinalities: Sequence[int] = CARDINALITIES,
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam,
    scheduler: Callable[[torch.optim.Optimizer], LRScheduler] | None = None,
    seed: int = 0,
    batch_size: int = 16,
    options: StepOptions | None = None,
    **keys: Any,
) -> Steps:
    made = optimizer(model.parameters(), **{"lr": 0.01, **keys})
    use_dropout_stream(model, generator(seed, "dropout"))
    options = options or StepOptions()
    return Steps(
        adapt(model, cardinalities, LABELS[kind].outputs),
        made,
        None if scheduler is None else scheduler(made),
        task_of(LABELS[kind]),
        batch_size,
        options,
        None if options.ema is None else Average(model, options.ema),
        Losses(model, made),
    )


def shown(model: nn.Module, rows: Split) -> nn.Module:
    """Show a model the rows, as the loop does before it trains."""
    observe(model, rows.numeric)
    return model


def order(seed: int, count: int = 70) -> torch.Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def trained(
    models: Sequence[Steps], rows: Split, orders: Sequence[Sequence[torch.Tensor]]
) -> list[list[dict[str, float]]]:
    """Train all models in one stack, for an epoch per entry of their orders; return what each logs."""
    stack = Stack(models, rows)
    logged = [
        stack.epoch([Turn(each, own[epoch]) for each, own in zip(models, orders, strict=True)])
        for epoch in range(len(orders[0]))
    ]
    stack.release()
    return [list(own) for own in zip(*logged, strict=True)]


def by_loop(steps: Steps, rows: Split, orders: Sequence[torch.Tensor]) -> list[dict[str, float]]:
    """Train a model step by step."""
    return [steps.epoch(rows.take(each)) for each in orders]


def numbers(steps: Steps) -> dict[str, torch.Tensor]:
    """Return all that training changes: weights, running means, moments, averages and the stream of dropout."""
    found = {f"model.{name}": each for name, each in steps.network.module.state_dict().items()}
    for place, state in steps.optimizer.state_dict()["state"].items():
        found |= {f"{place}.{name}": each for name, each in state.items() if isinstance(each, torch.Tensor)}
    if steps.average is not None:
        found |= {f"average.{name}": each for name, each in steps.average.state_dict().items()}
    for name, each in steps.network.module.named_modules():
        stream = getattr(each, "generator", None)
        if stream is not None:
            found[f"stream.{name}"] = stream.get_state()
    return found


def differing(first: Steps, second: Steps) -> list[str]:
    """Return the names of what is not equal to the last bit."""
    a, b = numbers(first), numbers(second)
    return [
        name
        for name in a.keys() | b.keys()
        if name not in a or name not in b or not torch.equal(a[name], b[name])
    ]


def far(first: Steps, second: Steps, tolerance: float = 1e-4) -> list[str]:
    """Return the names of weights and moments that are not about equal."""
    a, b = numbers(first), numbers(second)
    assert a.keys() == b.keys()
    return [name for name in a if not torch.allclose(a[name].double(), b[name].double(), atol=tolerance)]


class Codes(nn.Module):
    """A model of the user: an embedding per column, and two kinds of normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 3) for size in CARDINALITIES)
        self.layers = nn.Sequential(
            nn.Linear(FEATURES + 6, 8),
            nn.LayerNorm(8),
            nn.GELU(),
            nn.Linear(8, 8),
            nn.BatchNorm1d(8),
            nn.SiLU(),
        )
        self.last = nn.Linear(8, 1)

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        vectors = [table(categorical[:, place]) for place, table in enumerate(self.tables)]
        return self.last(self.layers(torch.cat([numeric, *vectors], dim=1))).squeeze(-1)


class OneInput(nn.Module):
    """A model of the user that gets numbers and categories as one tensor."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(width, 8), nn.Linear(8, 8), nn.Linear(8, 1)
        self.norm = nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = nn.functional.elu(self.first(x))
        return self.last(h + torch.tanh(self.second(self.norm(h))))


def built_modules() -> dict[str, Callable[[], Network]]:
    """Return networks of ours and of a user, without dropout, whose scale is of single precision."""
    models: dict[str, Callable[[], nn.Module]] = {
        "user's with codes": Codes,
        "user's with one input": lambda: OneInput(FEATURES + sum(CARDINALITIES) - len(CARDINALITIES)),
        "linear start": lambda: perceptron(dropout=0.0, linear_start=True),
        "pieces": lambda: perceptron(dropout=0.0, numeric_embedding="piecewise"),
        "waves": lambda: perceptron(dropout=0.0, numeric_embedding="periodic"),
        "tabm": lambda: TabM(
            FEATURES, members=3, hidden_dims=(6, 4), dropout=0.0, cardinalities=CARDINALITIES
        ),
        "dcn": lambda: DCN(FEATURES, hidden_dims=(6, 4), dropout=0.0, cardinalities=CARDINALITIES),
        "deepfm": lambda: DeepFM(FEATURES, hidden_dims=(6, 4), dropout=0.0, cardinalities=CARDINALITIES),
        "resnet": lambda: ResNet(FEATURES, width=6, dropout=0.0, cardinalities=CARDINALITIES),
    }

    def network(make: Callable[[], nn.Module]) -> Network:
        module = shown(make(), rows_of())
        with torch.no_grad():
            for each in module.parameters():
                if not each.any():
                    each.normal_(0, 0.3)
        return adapt(module, CARDINALITIES)

    return {name: partial(network, make) for name, make in models.items()}
