"""What may be imported is what ``__all__`` says, and everything in it is documented."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tracking", "tracking.registry", "sweeps", "trainer")


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_sorted_and_every_name_in_it_has_a_docstring(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__doc__, f"{package}.{name} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_re_exports_and_does_nothing_else(package: str) -> None:
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text())
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.If, ast.FunctionDef, ast.Expr)
    for node in tree.body:
        assert isinstance(node, allowed), ast.unparse(node)
        if isinstance(node, ast.FunctionDef):  # lazy re-exports
            assert node.name in {"__getattr__", "__dir__"}
