"""FT-Transformer: a token per column, then transformer blocks in which every column attends to every other.

Source: Gorishniy, Rubachev, Khrulkov, Babenko, "Revisiting Deep Learning Models for Tabular Data" (NeurIPS 2021,
arXiv:2106.11959), section 3.3 and appendix E: normalisation before each part, none before the first attention,
ReGLU, and a prediction from the token that stands for the row.
"""

from collections.abc import Sequence

import torch
from torch import nn

from trainer.models.base import TabularModel
from trainer.models.dropout import Dropout
from trainer.models.layers import linear, one_or_many, uniform


class FTTransformer(TabularModel):
    """Tokens of `embedding_dim` numbers, one per column and one for the row, and `blocks` transformer blocks."""

    def __init__(
        self,
        input_dim: int,
        *,
        embedding_dim: int = 64,
        blocks: int = 2,
        heads: int = 8,
        attention_dropout: float = 0.2,
        dropout: float = 0.1,
        residual_dropout: float = 0.0,
        output_dim: int = 1,
        cardinalities: Sequence[int] = (),
        numeric_embedding: str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            input_dim,
            cardinalities,
            embedding_dim,
            numeric=numeric_embedding,
            as_fields=True,
            generator=generator,
        )
        if embedding_dim % heads:
            raise ValueError(f"embedding_dim={embedding_dim}: a multiple of heads={heads} is needed")
        self.row = nn.Parameter(uniform((embedding_dim,), embedding_dim, generator))
        self.category_bias = nn.Parameter(
            uniform((len(cardinalities), embedding_dim), embedding_dim, generator)
        )
        self.blocks = nn.ModuleList(
            _Block(
                embedding_dim,
                heads,
                (attention_dropout, dropout, residual_dropout),
                is_first=index == 0,
                generator=generator,
            )
            for index in range(blocks)
        )
        self.head = nn.Sequential(
            nn.LayerNorm(embedding_dim), nn.ReLU(), linear(embedding_dim, output_dim, generator)
        )

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits: [N] for one output, otherwise [N, output_dim]."""
        row = self.row.expand(numeric.shape[0], 1, -1)  # no len: a graph is exported for any number of rows
        # The embedding of a number has a bias of its own.
        categories = self.embeddings(categorical) + self.category_bias
        tokens = torch.cat([row, self.numeric(numeric), categories], dim=1)
        for index, block in enumerate(self.blocks, start=1):
            # Of the last block only the row's token is used.
            tokens = block(tokens, queries=1 if index == len(self.blocks) else None)
        return one_or_many(self.head(tokens[:, 0]))


class _Block(nn.Module):
    """Attention and a gated feed-forward part, each added to its input."""

    def __init__(
        self,
        dim: int,
        heads: int,
        dropouts: tuple[float, float, float],
        *,
        is_first: bool,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        attention, hidden, residual = dropouts
        inner = max(1, int(dim * 4 / 3))
        self.heads = heads
        self.before_attention = nn.Identity() if is_first else nn.LayerNorm(dim)
        self.query, self.key, self.value, self.out = (linear(dim, dim, generator) for _ in range(4))
        self.attention_dropout = Dropout(attention)
        self.before_feed_forward = nn.LayerNorm(dim)
        self.gated, self.ungated = linear(dim, 2 * inner, generator), linear(inner, dim, generator)
        self.dropout, self.residual_dropout = Dropout(hidden), Dropout(residual)

    def forward(self, tokens: torch.Tensor, queries: int | None) -> torch.Tensor:
        """Return the first `queries` tokens after the block; all when None."""
        x = self.before_attention(tokens)
        asking = x[:, :queries]
        q, k, v = (self._split(each) for each in (self.query(asking), self.key(x), self.value(x)))
        shares = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
        mixed = self.out((self.attention_dropout(shares) @ v).transpose(1, 2).flatten(2))
        tokens = tokens[:, :queries] + self.residual_dropout(mixed)
        values, gates = self.gated(self.before_feed_forward(tokens)).chunk(2, dim=-1)
        fed = self.ungated(self.dropout(values * torch.relu(gates)))
        result: torch.Tensor = tokens + self.residual_dropout(fed)
        return result

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        """Return [N, tokens, dim] as [N, heads, tokens, dim of a head]."""
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)
