"""What a program changes where it starts its sweep: found in its source, compared by value.

A job's process does not run what stands under ``if __name__ == "__main__":``. Variables that only this part defines are
known by their absence. Those that it changes (``ARGS = parse()``, ``REGISTRY["net"] = ...``, ``Settings.debug = True``), also
in functions that it calls, are found here. A variable that nothing there touches is left alone: each process draws its
own random numbers and makes its own ids.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from sweeps.executor.local.ending import is_the_users
from sweeps.executor.local.main_script import guards, parsed
from sweeps.plan.by_reference import fingerprint

# The modules of random generators, which each process has of its own.
GENERATORS = ("random", "numpy.random", "torch")
HEAP_TYPE = 1 << 9  # in the flags of a class that Python code defines


Imports = Mapping[str, tuple[ModuleType, tuple[str, ...]]]  # by name in a function: a module and names in it


class Place(NamedTuple):
    """A variable: its module, and the names that lead to it there."""

    module: str
    name: str

    def container(self) -> Any:
        """Return the module or class that holds it; raise AttributeError or ImportError where there is none."""
        found: Any = sys.modules.get(self.module) or import_module(self.module)
        for each in self.name.split(".")[:-1]:
            found = getattr(found, each)
        return found

    def value(self) -> Any:
        """Return its value; raise AttributeError or ImportError where there is none."""
        return getattr(self.container(), self.name.rpartition(".")[2])

    def mark(self) -> str:
        """Return a hash of its value; nothing where there is none, or none that can be compared or copied."""
        if self.module not in sys.modules:
            return ""
        try:
            value = self.value()
        except AttributeError:
            return ""
        return "" if isinstance(value, ModuleType) or _is_generator(value) else fingerprint(value)

    def set(self, value: Any) -> None:
        """Give it a value; a container is filled in place, as other names may lead to it."""
        container, name = self.container(), self.name.rpartition(".")[2]
        old: Any = getattr(container, name, None)
        if type(old) is not type(value):
            setattr(container, name, value)
        elif isinstance(value, dict | set):
            old.clear()
            old.update(value)
        elif isinstance(value, list):
            old[:] = value
        elif _is_plain(value):
            vars(old).clear()
            vars(old).update(vars(value))
        else:
            setattr(container, name, value)


def _is_plain(value: object) -> bool:
    """Return whether all that an object holds are its attributes: a namespace, a dataclass, an object of the user's."""
    kinds = type(value).__mro__[:-1]
    is_python = all(kind.__flags__ & HEAP_TYPE and kind.__module__ != "omegaconf" for kind in kinds)
    return is_python and hasattr(value, "__dict__") and not any("__slots__" in vars(kind) for kind in kinds)


def touched() -> frozenset[Place]:
    """Return the variables that the guarded part of this process's script may change."""
    main = sys.modules["__main__"]
    found = _Finder()
    with suppress(OSError, SyntaxError, ValueError, TypeError):
        source = inspect.getsource(main) if main.__spec__ else Path(str(main.__file__)).read_bytes()
        tree = parsed(source.encode() if isinstance(source, str) else source, str(main.__file__))
        for body in _guarded(tree.body):
            found.look(ast.Module(body, []), main, frozenset())
        for value in list(vars(main).values()):
            if isinstance(value, FunctionType) and value.__globals__ is vars(main) and _starts(value):
                found.look_at(value)
    return frozenset(found.places)


def _guarded(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """Yield the statements that run only where a script is a program."""
    for statement in body:
        kind = guards(statement.test) if isinstance(statement, ast.If) else None
        if isinstance(statement, ast.If) and kind is not None:
            yield statement.body if kind else statement.orelse
        for name in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _guarded(getattr(statement, name, []))


class _Finder:
    """Collects the variables that statements store, or may change through what these hold."""

    def __init__(self) -> None:
        self.places: set[Place] = set()
        self._seen: set[object] = set()

    def look(self, tree: ast.Module, module: ModuleType, local: frozenset[str]) -> None:
        """Look at statements of a module or of one of its functions, which has the `local` names."""
        stored = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
        imported = _imported(tree) if local else {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                self._call(node, module, local, imported)
            elif isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store) and (not local or node.id in stored):
                    self.places.add(Place(str(module.__name__), node.id))
            elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
                self._note(*_from(_chain(node), module, imported), local - stored)

    def _call(
        self,
        node: ast.Call,
        module: ModuleType,
        local: frozenset[str],
        imported: Imports,
    ) -> None:
        """Note what a call may change: the owner of the method, the arguments, and what a function of the user's changes."""
        for each in (*node.args, *(keyword.value for keyword in node.keywords)):
            self._note(*_from(_chain(each), module, imported), local)
        chain, module = _from(_chain(node.func), module, imported)
        self._note(chain[:-1], module, local)
        called = _resolved(chain, module) if chain and chain[0] not in local else None
        if (
            isinstance(called, FunctionType)
            and not _is_entry(called)
            and is_the_users(str(called.__module__))
        ):
            self.look_at(called)

    def look_at(self, function: FunctionType) -> None:
        """Look at the statements of a function, once."""
        if function in self._seen:
            return
        self._seen.add(function)
        with suppress(OSError, TypeError, SyntaxError):
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
            code = function.__code__
            names = frozenset({*code.co_varnames, *code.co_cellvars, *code.co_freevars, ""})
            self.look(tree, sys.modules[function.__module__], names)

    def _note(self, chain: tuple[str, ...], module: ModuleType, local: frozenset[str]) -> None:
        """Note the variable that a chain of names leads to, past modules and classes."""
        if not chain or chain[0] in local:
            return
        found: Any = module
        for length, name in enumerate(chain, start=1):
            found = getattr(found, name, None)
            if isinstance(found, ModuleType):
                if not is_the_users(found.__name__):
                    return
                self._note(chain[length:], found, frozenset())
                return
            if not isinstance(found, type):
                self.places.add(Place(str(module.__name__), ".".join(chain[:length])))
                return


def _starts(function: FunctionType) -> bool:
    """Return whether a function of the script names one under ``hydra.main``, or makes one: it starts the sweep."""
    named = [function.__globals__.get(name) for name in function.__code__.co_names]
    makes_one = {"hydra", "main"} <= {*function.__code__.co_names}
    return makes_one or any(map(_is_entry, named))


def _is_entry(value: object) -> bool:
    """Return whether this is what ``hydra.main`` makes of a task."""
    is_hydras = isinstance(value, FunctionType) and value.__globals__.get("__name__") == "hydra.main"
    return is_hydras and hasattr(value, "__wrapped__")


def _imported(tree: ast.Module) -> dict[str, tuple[ModuleType, tuple[str, ...]]]:
    """Return where the names lead that a function imports: to a loaded module, and to names in it."""
    found = dict[str, tuple[ModuleType, tuple[str, ...]]]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                if name in sys.modules:
                    found[alias.asname or name] = sys.modules[name], ()
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module in sys.modules:
            module = sys.modules[str(node.module)]
            found |= {alias.asname or alias.name: (module, (alias.name,)) for alias in node.names}
    return found


def _from(
    chain: tuple[str, ...],
    module: ModuleType,
    imported: Imports,
) -> tuple[tuple[str, ...], ModuleType]:
    """Return a chain of names, and the module where it begins, past an import of the function."""
    if not chain or chain[0] not in imported:
        return chain, module
    module, names = imported[chain[0]]
    return (*names, *chain[1:]), module


def _chain(node: ast.expr) -> tuple[str, ...]:
    """Return the names of ``a.b.c``, or of the container ``a.b`` of an item; nothing for any other expression."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (*before, node.attr) if (before := _chain(node.value)) else ()
    return _chain(node.value) if isinstance(node, ast.Subscript) else ()


def _resolved(chain: tuple[str, ...], module: ModuleType) -> Any:
    found: Any = module
    for name in chain:
        found = getattr(found, name, None)
    return found


def _is_generator(value: object) -> bool:
    kind = type(value)
    return kind.__name__ in {"Random", "Generator", "RandomState"} and kind.__module__.startswith(GENERATORS)
