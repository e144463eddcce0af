"""The script of the sweep, imported once by each job as its ``__main__``.

A job runs the statements of the script, but not what stands under ``if __name__ == "__main__":``, because that starts
the sweep, and because it may prepare or delete what all jobs share. A script that starts its sweep in any other place is
run up to there. Variables that only such a part sets are copied from the sweep's process when a job lacks them.
"""

import ast
import contextlib
import io
import sys
import threading
import tokenize
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from sweeps.plan.by_reference import NAME, PATH

_importing = threading.local()


class _SweepStarts(BaseException):
    """Ends the import of a script where it starts its sweep again."""


class Script(NamedTuple):
    """A script that jobs can import: compiled once, before the first job."""

    code: CodeType
    file: str
    spec: ModuleSpec | None  # of a script that was started with ``python -m``


def load_script(described: Mapping[str, str]) -> Script | None:
    """Compile the script that `sweeps.plan.by_reference.describe_main` described; None for one that cannot be found."""
    if PATH in described:
        path = described[PATH]
        return Script(_compiled(Path(path).read_bytes(), path), path, None)
    if NAME not in described:
        return None
    spec = _find(described[NAME])
    if spec is None or spec.loader is None:
        return None
    loader: Any = spec.loader
    source = getattr(loader, "get_source", lambda _name: None)(spec.name)
    file = str(spec.origin)
    code = loader.get_code(spec.name) if source is None else _compiled(source.encode(), file)
    return Script(code, file, spec)


def import_script(script: Script) -> None:
    """Run the script as ``__main__`` of this process; raise what it raises."""
    main = ModuleType("__main__")
    loader = SourceFileLoader("__main__", script.file) if script.spec is None else script.spec.loader
    package = None if script.spec is None else script.spec.parent
    attributes = {"__file__": script.file, "__spec__": script.spec, "__package__": package}
    vars(main).update(attributes, __loader__=loader, __cached__=None)
    # Processes that a job spawns know the script under the second name.
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    with _no_sweep(), contextlib.suppress(_SweepStarts):
        exec(script.code, vars(main))  # noqa: S102 - the user's own script


def refuse_in_a_job() -> None:
    """End the import of a script that starts a sweep in a job; elsewhere do nothing."""
    if getattr(_importing, "is_on", False):
        raise _SweepStarts


@contextlib.contextmanager
def _no_sweep() -> Iterator[None]:
    """Make a call of a function under ``hydra.main`` end the import, before Hydra changes anything."""
    hydra_main: Any = import_module("hydra.main")
    runs = hydra_main._run_hydra

    def starts(*_args: object, **_kwargs: object) -> None:
        refuse_in_a_job()

    hydra_main._run_hydra = starts
    _importing.is_on = True
    try:
        yield
    finally:
        _importing.is_on = False
        hydra_main._run_hydra = runs


def _find(name: str) -> ModuleSpec | None:
    """Return the spec of a module that runs as a script, without importing the module."""
    above, _, _last = name.rpartition(".")
    path = import_module(above).__path__ if above else None
    return PathFinder.find_spec(name, path)


@cache
def _compiled(source: bytes, file: str) -> CodeType:
    encoding = tokenize.detect_encoding(io.BytesIO(source).readline)[0]
    tree = ast.parse(source.decode(encoding), file)
    return compile(ast.fix_missing_locations(_AsImported().visit(tree)), file, "exec", dont_inherit=True)


class _AsImported(ast.NodeTransformer):
    """Makes the test for ``__main__`` false where a script runs statements; inside functions it stays as it is."""

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            return node
        return self._without_test(node) if isinstance(node, ast.Compare) else self.generic_visit(node)

    def _without_test(self, node: ast.Compare) -> ast.expr:
        sides = [node.left, *node.comparators]
        tests_name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
        tests_main = any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)
        compares = len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.NotEq)
        if tests_name and tests_main and compares:
            return ast.copy_location(ast.Constant(isinstance(node.ops[0], ast.NotEq)), node)
        return node
