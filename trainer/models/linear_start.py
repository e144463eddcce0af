"""A linear model that is fitted before the rest of a network trains, and to which the rest is added.

With few rows a network that is trained from random weights is often worse than a linear model, and its best epoch on few
validation rows is often luck. So the network starts as the linear model and learns what that one lacks; what it adds
counts by as much as it is sure to lower the loss of the validation rows.

Sources: Cheng et al., "Wide & Deep Learning for Recommender Systems" (2016, arXiv:1606.07792) for the sum of a linear and a
deep model; the share that counts is that of the positive-part estimator of James and Stein (Efron and Morris, "Stein's
Estimation Rule and Its Competitors", 1973) for one number. The penalty is that of scikit-learn's Ridge.
"""

import hashlib
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from trainer.data.encoding.prepared import remembered_arrays
from trainer.eager import without_compiler
from trainer.models.layers import one_or_many

if TYPE_CHECKING:
    from trainer.data.tensors import Split

ROWS = 5_000  # that the linear model is fitted to at most, spread over the training rows
ITERATIONS = 200
TOLERANCE = 1e-7  # of the loss


class LinearStart(nn.Module):
    """A weight per number and per category and a bias, for each output; `fit` sets them, and training keeps them.

    Before it is fitted, all are zero.
    """

    numeric: torch.Tensor
    codes: torch.Tensor
    bias: torch.Tensor
    offsets: torch.Tensor
    share: torch.Tensor

    def __init__(self, input_dim: int, cardinalities: Sequence[int], output_dim: int) -> None:
        super().__init__()
        starts = list(accumulate(cardinalities, initial=0))
        self.register_buffer("offsets", torch.tensor(starts[:-1], dtype=torch.int64), persistent=False)
        self.register_buffer("numeric", torch.zeros(input_dim, output_dim))
        self.register_buffer("codes", torch.zeros(starts[-1], output_dim))
        self.register_buffer("bias", torch.zeros(output_dim))
        self.register_buffer("share", torch.ones(()))  # of the rest that counts; 0: the linear model alone
        self._shown: str | None = None

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
        """Return the logits [N, K] of the linear model and of the rest; in training all of the rest counts."""
        if self._shown == "rest":
            return rest
        linear = _linear(numeric, categorical + self.offsets, self.numeric, self.codes, self.bias)
        if self._shown == "linear":
            return linear
        return linear + rest if self.training else self.summed(linear, rest, self.share)

    @staticmethod
    def summed(linear: torch.Tensor, rest: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """Return the logits when a share of the rest counts."""
        return linear + rest * share

    @contextmanager
    def showing(self, part: str) -> Iterator[None]:
        """Let the model return only the `linear` part of its logits, or the `rest`."""
        self._shown = part
        try:
            yield
        finally:
            self._shown = None

    def fit(self, rows: "Split", loss: Callable[..., torch.Tensor]) -> None:
        """Fit the linear model to training rows, on its device; it stays as it is where the loss has no finite minimum.

        On a CPU, what a loss of ours led to is kept in the cache: it follows from these rows, and takes as long as epochs.
        """
        spread = torch.arange(0, len(rows), -(-len(rows) // ROWS), device=rows.device)
        rows = rows.take(spread).to(self.bias.device)
        # Of millions of categories few are in these rows.
        present, codes = torch.unique(rows.categorical.long() + self.offsets, return_inverse=True)
        kept = (self.numeric, self.codes[present], self.bias)
        key = _key(rows, codes, kept, loss)
        if key is None:
            found = _fitted(rows, codes, kept, loss)
        else:
            arrays = remembered_arrays(key, lambda: _as_arrays(_fitted(rows, codes, kept, loss)))
            found = [torch.from_numpy(arrays[name]) for name in _PARTS] if arrays else None
        if found is not None:
            self.numeric.copy_(found[0])
            self.codes[present] = found[1]
            self.bias.copy_(found[2])


Weights = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # by number, by category that is present, the bias
_PARTS = ("numeric", "codes", "bias")


@without_compiler()
def _fitted(
    rows: "Split", codes: torch.Tensor, kept: Weights, loss: Callable[..., torch.Tensor]
) -> list[torch.Tensor] | None:
    """Return the weights with the least loss; None where it has no finite minimum."""
    weights = [torch.zeros_like(each, requires_grad=True) for each in kept]
    optimizer = torch.optim.LBFGS(
        weights,
        max_iter=ITERATIONS,
        tolerance_change=TOLERANCE,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = one_or_many(_linear(rows.numeric, codes, *weights))
        penalty = (weights[0].square().sum() + weights[1].square().sum()) / len(rows)
        value = loss(logits, rows.target, *rows.weights) + penalty
        if not value.isfinite():
            raise FloatingPointError
        torch.autograd.backward(value)
        return value

    step: Callable[..., Any] = optimizer.step  # which has no types
    try:
        step(closure)
    except FloatingPointError:
        return None
    return [each.detach() for each in weights]


def _key(
    rows: "Split", codes: torch.Tensor, kept: Weights, loss: Callable[..., torch.Tensor]
) -> dict[str, Any] | None:
    """Return what determines the weights to the last bit; None on a GPU, and for a loss that is not of ours."""
    owner = type(getattr(loss, "__self__", None))
    if rows.device.type != "cpu" or not owner.__module__.startswith("trainer."):
        return None
    digest = hashlib.sha256()
    for each in (rows.numeric, codes, rows.target, *rows.weights):
        digest.update(each.numpy().tobytes())
    return {
        "linear start": digest.hexdigest(),
        "loss": f"{owner.__module__}.{owner.__qualname__}.{getattr(loss, '__name__', '')}",
        "shapes": [[*each.shape] for each in (rows.numeric, codes, *kept)],
        # Another library or processor, or more threads, may round otherwise.
        "by": [
            torch.__version__,
            torch.get_num_threads(),
            torch.backends.cpu.get_cpu_capability(),
            platform.node(),
        ],
    }


def _as_arrays(found: list[torch.Tensor] | None) -> dict[str, Any]:
    return {} if found is None else {name: each.numpy() for name, each in zip(_PARTS, found, strict=True)}


def _linear(
    numeric: torch.Tensor,
    codes: torch.Tensor,
    by_number: torch.Tensor,
    by_code: torch.Tensor,
    bias: torch.Tensor,
) -> torch.Tensor:
    return numeric @ by_number + nn.functional.embedding(codes, by_code).sum(dim=1) + bias


def start_of(module: nn.Module) -> LinearStart | None:
    """Return the linear start of a model; None if it has none."""
    found = getattr(module, "start", None)
    return found if isinstance(found, LinearStart) else None
