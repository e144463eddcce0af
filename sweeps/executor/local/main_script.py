"""The script of the sweep, run once by each job's process as its ``__main__``.

A process runs the statements of the script, but not what stands under ``if __name__ == "__main__":``, because that starts
the sweep, and because it may prepare or delete what all jobs share. A script that starts its sweep in any other place
runs up to there, and the jobs run in that place. Variables that only a guarded part sets are copied from the sweep's
process.
"""

import ast
import contextlib
import importlib.util
import io
import marshal
import sys
import threading
import tokenize
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

from sweeps.executor.local.ending import is_the_users, leave_now
from sweeps.plan.by_reference import NAME, PATH

_running = threading.local()  # `at_start`: what a script that is running does where it starts a sweep
_sweeps = 0  # that this process has started


class _JobsAreDone(SystemExit):
    """Ends a script, in a job's process, where it started its sweep."""


class Script(NamedTuple):
    """A script that jobs can import: compiled once, before the first job."""

    code: CodeType
    file: str
    spec: ModuleSpec | None  # of a script that was started with ``python -m``


def load_script(described: Mapping[str, str]) -> Script | None:
    """Compile the script that `sweeps.plan.by_reference.describe_main` described; None for one that cannot be found."""
    if PATH in described:
        path = described[PATH]
        return Script(_code(_source(path), path), path, None)
    if NAME not in described:
        return None
    spec = _find(described[NAME])
    if spec is None or spec.loader is None:
        return None
    loader: Any = spec.loader
    source = getattr(loader, "get_source", lambda _name: None)(spec.name)
    file = str(spec.origin)
    code = loader.get_code(spec.name) if source is None else _code(source.encode(), file)
    return Script(code, file, spec)


@cache
def _first_source(path: str) -> bytes:
    return Path(path).read_bytes()


def _source(path: str) -> bytes:
    """Return a script as it is now; one that was removed meanwhile, as it was first."""
    first = _first_source(path)
    with contextlib.suppress(OSError):
        return Path(path).read_bytes()
    return first


def run_script(script: Script, jobs: Callable[[BaseException | None], None], sweeps_before: int = 0) -> None:
    """Run the script as ``__main__`` of this process, and `jobs` where it starts its sweep, or else after it.

    `jobs` gets what the script raises before that. The script runs past the sweeps that it starts before that one. What
    it does as it ends, such as removing a folder that it made, it does after the jobs.
    """
    main = ModuleType("__main__")
    loader = SourceFileLoader("__main__", script.file) if script.spec is None else script.spec.loader
    package = None if script.spec is None else script.spec.parent
    attributes = {"__file__": script.file, "__spec__": script.spec, "__package__": package}
    vars(main).update(attributes, __loader__=loader, __cached__=None)
    # Processes that a job spawns know the script under the second name.
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    begun, fault = False, None

    def begin() -> None:
        nonlocal begun
        begun = True
        jobs(None)

    with _in_place_of_sweep(begin, sweeps_before):
        try:
            exec(script.code, vars(main))  # noqa: S102 - the user's own script
        except BaseException as error:  # noqa: BLE001 - it is the outcome of the job, or the user sees it in its log
            if not begun:
                fault = error
            elif not isinstance(error, SystemExit):
                traceback.print_exc()
    if not begun:
        jobs(fault)


def sweep_starts(*, anew: bool = True) -> None:
    """Count a sweep that this process starts; in a job's process, run the jobs instead, and end the script."""
    global _sweeps
    at_start = getattr(_running, "at_start", None)
    if at_start is not None:
        at_start()
    _sweeps += anew


def sweeps_before() -> int:
    """Return how many sweeps this process has started before the present one."""
    return max(0, _sweeps - 1)


@contextlib.contextmanager
def _in_place_of_sweep(begin: Callable[[], None], sweeps_before: int) -> Iterator[None]:
    """Call `begin` where a function under ``hydra.main`` is called, before Hydra changes anything; then end the script."""
    hydra_main: Any = import_module("hydra.main")
    runs = hydra_main._run_hydra
    passed = iter(range(sweeps_before))

    def starts(*_args: object, **_kwargs: object) -> None:
        if hasattr(_running, "at_start") and next(passed, None) is None:
            _running.at_start()

    def first() -> None:
        restore()
        begin()
        hook(end)  # the script may go on all the same
        end()

    def end() -> None:
        if _is_caught(sys._getframe()):
            leave_now()
        raise _JobsAreDone(0)

    def hook(at_start: Callable[[], None]) -> None:
        hydra_main._run_hydra = starts
        _running.at_start = at_start

    def restore() -> None:
        hydra_main._run_hydra = runs
        vars(_running).clear()

    hook(first)
    try:
        yield
    finally:
        restore()


def _is_caught(frame: FrameType | None) -> bool:
    """Return whether a function of the user's that is being called handles the end of a program as if it were an error."""
    while frame is not None:
        if is_the_users(str(frame.f_globals.get("__name__"))):
            with contextlib.suppress(OSError, SyntaxError, UnicodeError):
                path, line = frame.f_code.co_filename, frame.f_lineno
                for node in ast.walk(parsed(Path(path).read_bytes(), path)):
                    if (
                        isinstance(node, ast.Try)
                        and _spans(node.body, line)
                        and any(map(_is_broad, node.handlers))
                    ):
                        return True
        frame = frame.f_back
    return False


def _spans(body: list[ast.stmt], line: int) -> bool:
    return body[0].lineno <= line <= (body[-1].end_lineno or 0)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or (isinstance(handler.type, ast.Name) and handler.type.id == "BaseException")


def _find(name: str) -> ModuleSpec | None:
    """Return the spec of a module that runs as a script, without importing the module."""
    above, _, _last = name.rpartition(".")
    path = import_module(above).__path__ if above else None
    return PathFinder.find_spec(name, path)


def _code(source: bytes, file: str) -> CodeType:
    if source.startswith(
        importlib.util.MAGIC_NUMBER
    ):  # compiled: its guard cannot be told, so it runs up to its sweep
        code: CodeType = marshal.loads(source[16:])  # noqa: S302 - the user's own script
        return code
    return _compiled(source, file)


@cache
def _compiled(source: bytes, file: str) -> CodeType:
    tree = parsed(source, file)
    return compile(ast.fix_missing_locations(_WithoutGuard().visit(tree)), file, "exec", dont_inherit=True)


def parsed(source: bytes, file: str) -> ast.Module:
    """Return the syntax tree of a script."""
    encoding = tokenize.detect_encoding(io.BytesIO(source).readline)[0]
    return ast.parse(source.decode(encoding), file)


def guards(test: ast.expr) -> bool | None:
    """Return whether a test holds only where the script runs as a program, or (False) only where it does not.

    None for any other test. What else the test asks for does not matter.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = guards(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return next((found for each in test.values if (found := guards(each)) is not None), None)
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    sides = [test.left, test.comparators[0]]
    names = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    is_main = any(isinstance(each, ast.Constant) and each.value == "__main__" for each in _items(sides))
    if not (names and is_main):
        return None
    if isinstance(test.ops[0], ast.Eq | ast.In | ast.Is):
        return True
    return False if isinstance(test.ops[0], ast.NotEq | ast.NotIn | ast.IsNot) else None


def _items(sides: list[ast.expr]) -> Iterator[ast.expr]:
    for side in sides:
        yield side
        if isinstance(side, ast.Tuple | ast.List | ast.Set):
            yield from side.elts


BEGIN = f"__import__({__name__!r}, fromlist=['sweep_starts']).sweep_starts()"


class _WithoutGuard(ast.NodeTransformer):
    """Empties what runs only where the script is a program, where it runs statements; inside functions nothing changes.

    Inside a ``try`` or ``with`` the jobs run in that place, before what the block does at its end.
    """

    def __init__(self) -> None:
        self._is_inside = False

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | ast.expr):
            return node
        outside, self._is_inside = self._is_inside, self._is_inside or isinstance(node, ast.Try | ast.With)
        self.generic_visit(node)
        self._is_inside = outside
        kind = guards(node.test) if isinstance(node, ast.If) else None
        if isinstance(node, ast.If) and kind is not None:
            instead = ast.parse(BEGIN if outside else "pass").body
            for each in ast.walk(ast.Module(instead, [])):
                ast.copy_location(each, node)
            node.body, node.orelse = (instead, node.orelse) if kind else (node.body, instead)
        return node
