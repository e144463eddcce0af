"""The layers by their names in a graph."""

from trainer.training.stack.layers import (
    combining,
    dense,
    features,
    membership,
    normalising,
    pointwise,
)
from trainer.training.stack.layers.setting import Lowering

LAYERS: dict[str, Lowering] = {
    "add": combining.add,
    "batch_norm": normalising.batch_norm,
    "concatenate": combining.concatenate,
    "curved": pointwise.curved,
    "dropout": pointwise.dropout,
    "each_linear": membership.each_linear,
    "each_matmul": membership.each_linear,
    "expand": combining.expand,
    "layer_norm": normalising.layer_norm,
    "linear": dense.linear,
    "lookup": features.lookup,
    "matmul": dense.matmul,
    "multiply": combining.multiply,
    "narrow": combining.narrow,
    "pieces": features.pieces,
    "relu": pointwise.relu,
    "reshape": combining.reshape,
    "scale": combining.scale,
    "scaled_vectors": features.scaled_vectors,
    "shared": membership.shared,
    "square": combining.square,
    "start": features.start,
    "total": combining.total,
    "waves": features.waves,
}
