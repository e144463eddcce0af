"""Pickles for jobs, in which all that a module defines travels by reference.

A job imports the script and the modules of the task itself. What such a module defines must then be the job's own: an
instance of a class of the script is an instance of the class that the job's ``__main__`` has, a function reads the globals
that the job's other functions write, and a lock or a large array among these globals is no obstacle. cloudpickle copies
what ``__main__`` defines and what a name does not lead to. Here a function that no name leads to (a lambda, a closure)
travels as its code and its closure, and finds its globals in the job's own module. Only where jobs cannot import the
program (a notebook, ``python -c``, standard input) its definitions travel by value.
"""

import hashlib
import importlib
import io
import marshal
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import CellType, FunctionType, ModuleType
from typing import Any

import cloudpickle

NAME, PATH = "name", "path"
_EMPTY = "empty"  # stands for the content of a cell that has none


def describe_main() -> dict[str, str]:
    """Return the module name or the path of this process's script; nothing when jobs cannot import it."""
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return {NAME: str(spec.name)}
    # Standard input has a name that no file has; a pipe can be read only once.
    return {PATH: str(Path(file).absolute())} if isinstance(file, str) and Path(file).is_file() else {}


def dumps(value: object, *, copied: frozenset[str] = frozenset()) -> bytes:
    """Return `value` as bytes for ``pickle.loads`` in a job that has imported the script.

    The names of the script in `copied` travel by value. Raise what pickling raises for a value that cannot travel.
    """
    stream = io.BytesIO()
    pickler: Any = cloudpickle.Pickler(stream)
    by_value = pickler.reducer_override
    has_script = bool(describe_main())

    def reduced(each: Any) -> Any:
        module = getattr(each, "__module__", None)
        if isinstance(each, type | FunctionType) and isinstance(module, str):
            is_there = has_script if module == "__main__" else _is_importable(module)
            found = _reference(each, copied) if is_there else None
            if found is not None:
                return found
        return by_value(each)

    pickler.reducer_override = reduced
    pickler.dump(value)
    return stream.getvalue()


def fingerprint(value: object) -> str:
    """Return a hash of a value's pickle for a job, the same in each process that makes the value alike; or nothing."""
    try:
        return hashlib.blake2b(dumps(value), digest_size=16).hexdigest()
    except Exception:  # noqa: BLE001 - a user's class may raise anything when it is pickled
        return ""


def why_not(function: object) -> str:
    """Return a clause that names the variables of a closure that cannot travel; nothing if that is not the cause."""
    if not isinstance(function, FunctionType):
        return ""
    names = [
        name
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        if not fingerprint(_content(cell))
    ]
    quoted = ", ".join(map(repr, names))
    return (
        f"make {quoted} inside the task or at the top of the script, it cannot be copied: " if names else ""
    )


def _reference(value: Any, copied: frozenset[str]) -> tuple[Any, ...] | None:
    """Return how a job gets a class or function from its own module; None for what the usual pickle can do."""
    name = value.__module__
    place = _place(sys.modules[name], value)
    if place is None:
        return _by_code(value) if isinstance(value, FunctionType) else None
    if name == "__main__" and place[0].partition(".")[0] in copied:
        return _by_code(value) if isinstance(value, FunctionType) else None
    # Python itself finds what a name of another module leads to.
    return (_found, (name, *place)) if name == "__main__" or place[1] else None


@cache
def _is_importable(name: str) -> bool:
    top = sys.modules.get(name.partition(".")[0])
    if name not in sys.modules or getattr(top, "__spec__", None) is None:
        return False
    # A module that was made by hand, or loaded from a file under a name of its own, is found nowhere in a job.
    top_name = str(top.__name__) if top is not None else name
    return top_name in sys.builtin_module_names or PathFinder.find_spec(top_name) is not None


def _place(module: ModuleType, value: Any) -> tuple[str, int] | None:
    """Return the name that leads to `value` in a module, and the number of wrappers to take off what it names."""
    named = _attribute(module, str(getattr(value, "__qualname__", "")))
    for depth, inner in enumerate(_unwrapping(named)):
        if inner is value:
            return value.__qualname__, depth
    if isinstance(value, FunctionType) and value.__globals__ is vars(module):
        for name, other in list(vars(module).items()):
            for depth, inner in enumerate(_unwrapping(other)):
                if inner is value:
                    return name, depth
    return None


def _attribute(module: ModuleType, path: str) -> Any:
    found: Any = module
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _unwrapping(value: Any) -> Iterator[Any]:
    """Yield `value` and what it wraps, as ``functools.wraps`` records it."""
    seen: set[int] = set()
    while callable(value) and id(value) not in seen:
        seen.add(id(value))
        yield value
        # Not getattr: objects that make up any attribute (mocks, proxies) would never end.
        value = vars(value).get("__wrapped__") if isinstance(value, FunctionType) else None


def _found(module: str, name: str, depth: int) -> Any:
    """Return what the name leads to in this process; the function of a pickle."""
    value = _attribute(sys.modules.get(module) or importlib.import_module(module), name)
    inner = next((each for count, each in enumerate(_unwrapping(value)) if count == depth), value)
    if inner is None:
        raise AttributeError(
            f"{name} is not defined when a job imports {getattr(sys.modules[module], '__file__', module)}"
        )
    return inner


def _by_code(function: FunctionType) -> tuple[Any, ...] | None:
    """Return how to make a function that no name leads to, with the globals of its module in the job."""
    if vars(sys.modules[function.__module__]) is not function.__globals__:
        return None
    cells = [_content(cell) for cell in function.__closure__ or ()]
    attributes = {
        "__defaults__": function.__defaults__,
        "__kwdefaults__": function.__kwdefaults__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__,
        "__annotations__": function.__annotations__,
    }
    made = (function.__module__, _marshalled(function), function.__name__)
    # The state comes after the function, because a closure may contain it.
    return _make_function, made, (attributes, vars(function), cells), None, None, _set_state


def _marshalled(function: FunctionType) -> bytes:
    # Later versions write references, which depend on who else holds a constant.
    return marshal.dumps(function.__code__, 2)


def _content(cell: CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return (_EMPTY, None)


def _make_function(module: str, code: bytes, name: str) -> FunctionType:
    content = vars(sys.modules.get(module) or importlib.import_module(module))
    compiled = marshal.loads(code)  # noqa: S302 - from our own parent
    closure = tuple(CellType() for _ in compiled.co_freevars)
    return FunctionType(compiled, content, name, None, closure)


def _set_state(
    function: FunctionType, state: tuple[Mapping[str, Any], dict[str, Any], list[tuple[Any, ...]]]
) -> None:
    attributes, own, cells = state
    for name, value in attributes.items():
        setattr(function, name, value)
    function.__dict__.update(own)
    for cell, content in zip(function.__closure__ or (), cells, strict=True):
        if len(content) == 1:
            cell.cell_contents = content[0]
