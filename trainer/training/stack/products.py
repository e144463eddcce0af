"""Products of matrices into buffers, as calls that are made once and called in each step.

numpy's OpenBLAS computes products with a narrow side in two thirds of the time that torch's MKL needs on an AMD processor (128 x
77 by 77 x 64: 12 against 19 microseconds). Which library computes depends on the machine alone, not on the models.
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainer.training.stack.slots import Call


def product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> Call:
    """Return the call that writes a @ b to `out`."""
    if uses_numpy() and out.is_contiguous():
        return partial(np.dot, a.numpy(), b.numpy(), out.numpy())
    return partial(torch.mm, a, b, out=out)


def affine(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, out: torch.Tensor, scale: float = 1.0
) -> list[Call]:
    """Return the calls that write scale * x @ weight.T + bias to `out`."""
    if bias is None:
        after: list[Call] = [] if scale == 1 else [partial(out.mul_, scale)]
        return [partial(torch.mm, x, weight.t(), out=out), *after]
    return [partial(torch.addmm, bias, x, weight.t(), alpha=scale, out=out)]


def column_sums(x: torch.Tensor, out: torch.Tensor) -> Call:
    """Return the call that writes the sum over the rows of x, [rows, columns], to `out`."""
    ones = torch.ones(len(x), dtype=x.dtype)
    if uses_numpy():
        return partial(np.dot, x.t().numpy(), ones.numpy(), out.numpy())
    return partial(torch.mv, x.t(), ones, out=out)


def uses_numpy() -> bool:
    """Whether numpy computes products of a stack: where it has OpenBLAS, torch has one thread, and MKL is no faster."""
    return torch.get_num_threads() == 1 and bool(_openblas()) and not _is_intel()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let numpy's products run on one thread inside the block, as those of torch, so that none depends on the environment."""
    libraries = _openblas() if uses_numpy() else []
    before = [each.num_threads for each in libraries]
    try:
        for each in libraries:
            each.set_num_threads(1)
        yield
    finally:
        for each, count in zip(libraries, before, strict=True):
            each.set_num_threads(count)


@cache
def _openblas() -> list[Any]:
    """Return handles of the OpenBLAS libraries of this process."""
    from threadpoolctl import ThreadpoolController  # comes with scikit-learn

    return [*ThreadpoolController().select(internal_api="openblas").lib_controllers]


@cache
def _is_intel() -> bool:
    file = Path("/proc/cpuinfo")
    with contextlib.suppress(OSError), file.open() as lines:
        return "GenuineIntel" in lines.read(512)
    return False
