"""Products of matrices by either library."""

import numpy as np
import pytest
import torch
from stacked import differing, order, perceptron, rows_of, steps_of, trained

from trainer.training.stack import products

SHAPES = [(1, 1, 1), (7, 5, 3), (128, 77, 64), (129, 64, 1)]


@pytest.mark.parametrize("with_numpy", [True, False])
@pytest.mark.parametrize(("rows", "inner", "columns"), SHAPES)
def test_products_are_those_of_torch(
    monkeypatch: pytest.MonkeyPatch, with_numpy: bool, rows: int, inner: int, columns: int
) -> None:
    monkeypatch.setattr(products, "uses_numpy", lambda: with_numpy)
    torch.manual_seed(0)
    a, b, bias = torch.randn(rows, inner), torch.randn(columns, inner), torch.randn(columns)
    out, sums = torch.empty(rows, columns), torch.empty(columns)
    products.product(a, b.t(), out)()
    torch.testing.assert_close(out, a @ b.t(), atol=1e-4, rtol=1e-4)
    for call in products.affine(a, b, bias, out, 0.5):
        call()
    torch.testing.assert_close(out, 0.5 * (a @ b.t()) + bias, atol=1e-4, rtol=1e-4)
    products.column_sums(out, sums)()
    torch.testing.assert_close(sums, out.sum(dim=0), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("with_numpy", [True, False])
def test_a_stack_is_exact_with_either_library(monkeypatch: pytest.MonkeyPatch, with_numpy: bool) -> None:
    monkeypatch.setattr(products, "uses_numpy", lambda: with_numpy)
    rows = rows_of()
    together, apart = ([steps_of(perceptron(each), seed=each) for each in range(5)] for _ in range(2))
    trained(together, rows, [[order(0)]] * 5)
    for one, other in zip(together, apart, strict=True):
        trained([other], rows, [[order(0)]])
        assert differing(one, other) == []


def test_numpy_has_one_thread_while_a_stack_trains_and_its_own_number_after() -> None:
    libraries = products._openblas()
    before = [each.num_threads for each in libraries]
    with products.one_thread():
        if products.uses_numpy():
            assert {each.num_threads for each in libraries} == {1}
            assert np.dot(np.ones((300, 300)), np.ones((300, 300)))[0, 0] == 300
    assert [each.num_threads for each in libraries] == before
