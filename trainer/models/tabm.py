"""TabM: one perceptron that is an ensemble, because its members share their matrices and differ in small adapters.

Source: Gorishniy, Kotelnikov, Babenko, "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling"
(ICLR 2025, arXiv:2410.24210). This is the model that the paper calls TabM, not TabM-mini: every linear layer has
adapters, which start at one but for the first. Only categories differ: they have embeddings, in place of one-hot codes.
"""

from collections.abc import Sequence

import torch
from torch import nn

from trainer.models.base import TabularModel
from trainer.models.dropout import Dropout
from trainer.models.layers import EachLinear, one_or_many, uniform


class TabM(TabularModel):
    """`members` perceptrons in one; the loss is the mean of theirs, the prediction the mean of their probabilities."""

    members: int

    def __init__(
        self,
        input_dim: int,
        *,
        members: int = 32,
        hidden_dims: Sequence[int] = (128, 128),
        dropout: float = 0.1,
        output_dim: int = 1,
        cardinalities: Sequence[int] = (),
        embedding_dim: int = 8,
        numeric_embedding: str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            input_dim, cardinalities, embedding_dim, numeric=numeric_embedding, generator=generator
        )
        self.members = members
        layers: list[nn.Module] = []
        start = _first_adapter(
            members, self.sizes, is_normal=numeric_embedding is not None, generator=generator
        )
        for hidden in hidden_dims:
            layers += [Shared(start, hidden, generator=generator), nn.ReLU(), Dropout(dropout)]
            start = torch.ones(members, hidden)
        self.layers = nn.Sequential(*layers)
        self.heads = EachLinear(members, start.shape[1], output_dim, generator=generator)

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits: [N, members] for one output, otherwise [N, members, output_dim]."""
        x = self.features(numeric, categorical)[:, None].expand(-1, self.members, -1)
        return one_or_many(self.heads(self.layers(x)))


class Shared(nn.Module):
    """A linear layer of all members: `(x * before) W * after + bias`, where only W is shared."""

    def __init__(self, before: torch.Tensor, outputs: int, *, generator: torch.Generator | None) -> None:
        super().__init__()
        members, inputs = before.shape
        self.before = nn.Parameter(before)
        self.weight = nn.Parameter(uniform((inputs, outputs), inputs, generator))
        self.after = nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter(uniform((outputs,), inputs, generator).repeat(members, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return [N, members, outputs] of [N, members, inputs]."""
        return torch.addcmul(self.bias, (x * self.before) @ self.weight, self.after)


def _first_adapter(
    members: int, sizes: Sequence[int], *, is_normal: bool, generator: torch.Generator | None
) -> torch.Tensor:
    """Draw what makes the members differ: a number per member and column, of one for all numbers of the column.

    Signs for plain features; normal numbers where a column has an embedding, as in the paper.
    """
    shape = (members, len(sizes))
    if is_normal:
        drawn = torch.empty(shape).normal_(generator=generator)
    else:
        drawn = torch.randint(2, shape, generator=generator).float() * 2 - 1
    return drawn.repeat_interleave(torch.tensor(sizes, dtype=torch.int64), dim=1)
