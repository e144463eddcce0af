"""Operations of torch as nodes: those that a model's own forward method may call on tensors."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from trainer.training.stack.following.traced import ROWS, Codes, Traced, follows
from trainer.training.stack.lowered import NotLoweredError


def _like(x: Traced, layer: str, *options: Any) -> Traced:
    return x.tape.add(layer, [x], x.row, options=options)


def _curved(x: Traced, name: str, **options: Any) -> Traced:
    return _like(x, "curved", name, tuple(options.items()))


@follows("relu", "relu_")
def _relu(x: Traced, inplace: bool = False) -> Traced:
    if inplace:
        raise NotLoweredError("an operation in place")
    return _like(x, "relu")


@follows("gelu")
def _gelu(x: Traced, approximate: str = "none") -> Traced:
    return _curved(x, "gelu", approximate=approximate)


@follows("silu")
def _silu(x: Traced, inplace: bool = False) -> Traced:
    return _curved(_not_in_place(x, inplace), "silu")


@follows("sigmoid")
def _sigmoid(x: Traced) -> Traced:
    return _curved(x, "sigmoid")


@follows("tanh")
def _tanh(x: Traced) -> Traced:
    return _curved(x, "tanh")


@follows("leaky_relu")
def _leaky(x: Traced, negative_slope: float = 0.01, inplace: bool = False) -> Traced:
    return _curved(_not_in_place(x, inplace), "leaky_relu", negative_slope=negative_slope)


@follows("elu")
def _elu(x: Traced, alpha: float = 1.0, inplace: bool = False) -> Traced:
    return _curved(_not_in_place(x, inplace), "elu", alpha=alpha, scale=1.0, input_scale=1.0)


def _not_in_place(x: Traced, inplace: bool) -> Traced:
    if inplace:
        raise NotLoweredError("an operation in place")
    return x


@follows("linear")
def linear(x: Traced, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Traced:
    """Follow x @ weight.T + bias."""
    if x.row[-1:] != tuple(weight.shape[1:]):
        raise NotLoweredError(f"a linear layer of {weight.shape[-1]} inputs on rows of shape {x.row}")
    parameters = [weight] if bias is None else [weight, bias]
    return x.tape.add("linear", [x], (*x.row[:-1], len(weight)), parameters=parameters)


@follows("matmul")
def _matmul(x: Any, weight: Any) -> Traced:
    if not isinstance(x, Traced) or not isinstance(weight, torch.Tensor) or weight.ndim != 2:
        raise NotLoweredError("a product of matrices that are no parameters")
    if x.row[-1:] != tuple(weight.shape[:1]):
        raise NotLoweredError(f"a product with {tuple(weight.shape)} of rows of shape {x.row}")
    return x.tape.add("matmul", [x], (*x.row[:-1], weight.shape[1]), parameters=[weight])


@follows("embedding")
def _embedding(first: Any, second: Any, *places: Any, **options: Any) -> Traced:
    """Follow a lookup; torch gives the table first in one function, and the numbers first in another."""
    codes, table = (first, second) if isinstance(first, Codes) else (second, first)
    plain = (None, -1, 2.0, False)
    if any(each not in plain for each in (*places, *options.values())):
        raise NotLoweredError("an embedding with options")
    found: Traced = codes.vectors(table)
    return found


@follows("cat", "concat")
def _cat(values: Sequence[Traced], dim: int = 0) -> Traced:
    if any(not isinstance(each, Traced) for each in values):
        raise NotLoweredError("tensors put beside others that are no numbers of the rows")
    ndim = values[0].ndim
    dim = dim % ndim
    if dim == 0 or any(each.ndim != ndim for each in values):
        raise NotLoweredError("rows put below each other")
    kept = [each for each in values if not each.is_empty] or [values[0]]
    if len(kept) == 1:
        return kept[0]
    before, after = kept[0].row[: dim - 1], kept[0].row[dim:]
    if prod(before) != 1:
        if dim != ndim - 1:
            raise NotLoweredError("a concatenation in the middle")
        shape = (*before, sum(each.row[-1] for each in kept))
        return kept[0].tape.add("concatenate", kept, shape)
    flat = [reshaped(each, (prod(each.row),)) for each in kept]
    joined = flat[0].tape.add("concatenate", flat, (sum(each.row[0] for each in flat),))
    return reshaped(joined, (*before, sum(each.row[dim - 1] for each in kept), *after))


def reshaped(x: Traced, row: tuple[int, ...]) -> Traced:
    """Follow another shape of a row."""
    if prod(row) != prod(x.row):
        raise NotLoweredError(f"rows of shape {x.row} as {row}")
    return x if row == x.row else x.tape.add("reshape", [x], row)


@follows("flatten")
def flattened(x: Traced, start_dim: int = 0, end_dim: int = -1) -> Traced:
    """Follow dimensions of a row put into one."""
    first, last = start_dim % x.ndim, end_dim % x.ndim
    if first == 0:
        raise NotLoweredError("rows flattened into each other")
    row = x.row
    return reshaped(x, (*row[: first - 1], prod(row[first - 1 : last]), *row[last:]))


@follows("reshape", "view")
def _reshape(x: Traced, *shape: Any) -> Traced:
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
    if sizes[0] is not ROWS and not (sizes[0] == -1 and -1 not in sizes[1:]):
        raise NotLoweredError("a shape with another number of rows")
    row = list(sizes[1:])
    if -1 in row:
        row[row.index(-1)] = prod(x.row) // max(1, -prod(row))
    return reshaped(x, tuple(row))


@follows("squeeze")
def _squeeze(x: Traced, dim: int | None = None) -> Traced:
    if dim is None:
        raise NotLoweredError("squeeze without a dimension")
    dim = dim % x.ndim
    if dim == 0:
        raise NotLoweredError("squeeze of the rows")
    return reshaped(x, (*x.row[: dim - 1], *x.row[dim:])) if x.row[dim - 1] == 1 else x


@follows("unsqueeze")
def _unsqueeze(x: Traced, dim: int) -> Traced:
    place = dim % (x.ndim + 1)
    if place == 0:
        raise NotLoweredError("a dimension before the rows")
    return reshaped(x, (*x.row[: place - 1], 1, *x.row[place - 1 :]))


@follows("contiguous", "float")
def _same(x: Traced) -> Traced:
    return x


@follows("long", "int")
def _whole(x: Codes) -> Codes:
    if not isinstance(x, Codes):
        raise NotLoweredError("numbers rounded to whole ones")
    return x


@follows("unbind")
def _unbind(x: Codes, dim: int = 0) -> list[Codes]:
    if not isinstance(x, Codes) or dim not in (1, -1):
        raise NotLoweredError("unbind")
    return [x[:, each] for each in range(len(x.columns))]


@follows("getitem")
def _getitem(x: Any, index: Any) -> Any:
    if isinstance(x, Codes):
        return x[index]
    everything = slice(None)
    if isinstance(index, tuple) and len(index) == 2 and index[0] == everything:
        if index[1] is None:
            return _unsqueeze(x, 1)
        if isinstance(index[1], slice) and len(x.row) == 1:
            start, stop, step = index[1].indices(x.row[0])
            if step == 1 and stop > start:
                return x.tape.add("narrow", [x], (stop - start,), options=(start,))
    if index == (..., None):
        return _unsqueeze(x, -1)
    raise NotLoweredError("an index of numbers")


@follows("expand")
def _expand(x: Traced, *sizes: Any) -> Traced:
    if len(sizes) != x.ndim or x.row[0] != 1 or len(x.row) != 2 or sizes[2] not in (-1, x.row[1]):
        raise NotLoweredError("expand")
    return x.tape.add("expand", [x], (sizes[1], x.row[1]))


@follows("add")
def _add(a: Any, b: Any, *, alpha: float = 1) -> Traced:
    if not isinstance(a, Traced):
        a, b = b, a
    if not isinstance(b, Traced):
        return _scaled(_float(a), 1.0, _number(b))
    if alpha != 1 or a.row != b.row:
        raise NotLoweredError(f"a sum of rows of shapes {a.row} and {b.row}")
    if _is_zero(a) or _is_zero(b):
        return b if _is_zero(a) else _float(a)
    return b.tape.add("add", [a, b], b.row)


def _float(x: Any) -> Traced:
    if not isinstance(x, Traced):
        raise NotLoweredError("arithmetic with numbers of categories")
    return x


def _is_zero(x: Traced) -> bool:
    return x.tape.nodes[x.place].options[:1] == ("zero",)


@follows("sub")
def _sub(a: Traced, b: Any) -> Traced:
    return _add(a, _scaled(b, -1.0, 0.0) if isinstance(b, Traced) else -_number(b))


@follows("mul", "multiply")
def _mul(a: Any, b: Any) -> Traced:
    if not isinstance(a, Traced):
        a, b = b, a
    if not isinstance(b, Traced):
        return _scaled(_float(a), _number(b), 0.0)
    if a.row != b.row:
        raise NotLoweredError(f"a product of rows of shapes {a.row} and {b.row}")
    return b.tape.add("square", [b], b.row) if a.place == b.place else b.tape.add("multiply", [a, b], b.row)


@follows("div", "true_divide")
def _div(a: Traced, b: Any) -> Traced:
    return _scaled(a, 1 / _number(b), 0.0)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotLoweredError("arithmetic with a tensor that is no number of the rows")
    return float(value)


def _scaled(x: Traced, factor: float, shift: float) -> Traced:
    return x if (factor, shift) == (1.0, 0.0) else _like(x, "scale", factor, shift)


@follows("square")
def _square(x: Traced) -> Traced:
    return _like(x, "square")


@follows("pow")
def _pow(x: Traced, exponent: float) -> Traced:
    if exponent != 2:
        raise NotLoweredError(f"a power of {exponent}")
    return _like(x, "square")


@follows("sum")
def _sum(x: Traced, dim: Any = None, keepdim: bool = False) -> Traced:
    return _total(x, dim, keepdim, is_mean=False)


@follows("mean")
def _mean(x: Traced, dim: Any = None, keepdim: bool = False) -> Traced:
    return _total(x, dim, keepdim, is_mean=True)


def _total(x: Traced, dim: Any, keepdim: bool, *, is_mean: bool) -> Traced:
    if not isinstance(dim, int) or dim % x.ndim == 0:
        raise NotLoweredError("a sum over the rows")
    place = dim % x.ndim
    row = (*x.row[: place - 1], *x.row[place:])
    if x.is_empty:
        return x.tape.feed(row, "zero")
    factor = 1 / x.row[place - 1] if is_mean else 1.0
    found = x.tape.add("total", [x], row, options=(place, factor))
    return _unsqueeze(found, place) if keepdim else found


@follows("dropout", "alpha_dropout", "feature_dropout")
def _dropout(x: Traced, p: float = 0.5, training: bool = True, *_: Any, **__: Any) -> Traced:
    if p == 0 or not training:
        return x
    raise NotLoweredError(
        "torch's dropout, which draws from the global random state; use trainer.models.dropout.Dropout"
    )
