"""Classes and functions that a config names by `_target_`: find them, import them, bind their arguments.

The parent of a sweep looks for a name in the source of its module, because importing runs code. The code of a `_target_` may be the user's, so any error it raises becomes a ConfigError with the key and the value.
A `_target_` that comes from a saved file passes `check_trusted` first: the file may be somebody else's.
"""

import ast
import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from hydra_plugins.podium.versions import without_a_list
from tracking.values.names import is_within
from trainer.errors import ConfigError, LoadError, did_you_mean

_HIDES_NAMES = (
    "globals",
    "vars",
    "setattr",
    "exec",
    "__getattr__",
)  # words in a source whose names cannot be read


def imported(section: str, spec: Mapping[str, Any]) -> Callable[..., Any]:
    """Import the class or function of a section; raise ConfigError when there is none."""
    name = f"{section}._target_={spec['_target_']}"
    with users_code(name, tells_kind=False):  # a module may raise anything on import
        target = _named(str(spec["_target_"]))
    if not callable(target):
        raise ConfigError(f"{name} is {target!r}; allowed is a class or a function")
    return target  # type: ignore[no-any-return]  # what callable() is sure of, mypy is not


def _named(target: str) -> Any:
    """Return what a dotted name means; of ours without Hydra, which takes as long to load as a file to score."""
    module, _, name = target.rpartition(".")
    with contextlib.suppress(
        ModuleNotFoundError, AttributeError
    ):  # Hydra says what is wrong, or finds a method
        if is_within(module, ("trainer",)):
            return getattr(importlib.import_module(module), name)
    from hydra.utils import get_object

    return get_object(target)


@contextlib.contextmanager
def users_code(name: str, *, tells_kind: bool = True) -> Iterator[None]:
    """Make any error of the user's code a ConfigError that opens with a name, such as that of its key."""
    try:
        yield
    except Exception as error:
        kind = f"{type(error).__name__}: " if tells_kind else ""
        raise ConfigError(f"{name}: {kind}{error}") from error


def bound(section: str, spec: Mapping[str, Any]) -> "partial[Any]":
    """Bind a section's arguments to its target; nested targets are built. Raise ConfigError when one fails."""
    arguments = {key: value for key, value in spec.items() if key != "_target_"}
    if is_within(str(spec.get("_target_")), ("trainer",)) and _are_plain(arguments):
        return partial(imported(section, spec), **arguments)
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        with without_a_list():
            factory: partial[Any] = instantiate(dict(spec), _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise ConfigError(f"{section}._target_={spec.get('_target_')}: {error}") from error
    return factory


def _are_plain(arguments: Mapping[str, Any]) -> bool:
    """Whether arguments hold nothing that Hydra builds, resolves or obeys."""
    values = [
        each for value in arguments.values() for each in (value if isinstance(value, list) else [value])
    ]
    are_values = all(isinstance(each, str | int | float | None) for each in values)
    return (
        are_values
        and not any("${" in str(each) for each in values)
        and not any(key[:1] == "_" for key in arguments)
    )


def check_trusted(
    section: str,
    spec: Any,
    packages: Sequence[str],
    *,
    kind: str,
    is_kind: Callable[[Any], bool],
    functions: Sequence[str] = (),
) -> None:
    """Raise LoadError unless each object that a saved section names, at any depth, may be called.

    The object counts, not the way its name takes: it must be defined in one of the packages and be of the kind.
    One that `packages` or `functions` name in full may be anything. Interpolations are refused, because they
    could name more.
    """
    if not isinstance(spec, Mapping) or "_target_" not in spec:
        raise LoadError(f"the saved {section} names no {kind}: it has no _target_, but is {spec!r:.80}")
    for target in _targets(section, spec):
        label, listed = f"the {section}'s {kind} {target}", ", ".join(packages)
        if not is_within(target, (*packages, *functions)):
            raise LoadError(
                f"{label} is not in an allowed package ({listed}); "
                f"if you trust it, pass allow=[{target.partition('.')[0]!r}]"
            )
        found = imported(section, {"_target_": target})
        if target in packages or target in functions:
            continue
        home = str(getattr(found, "__module__", None))
        if not is_within(home, packages):
            fault = f"is defined in {home}, which is not an allowed package ({listed})"
        elif not is_kind(found):
            fault = f"is {found!r:.80}, which is no {kind}"
        else:
            continue
        raise LoadError(f"{label} {fault}; if you trust it, pass its full name: allow=[{target!r}]")


def _targets(section: str, spec: Any) -> Iterator[str]:
    """Yield every `_target_` in a section; raise LoadError for text that OmegaConf would replace."""
    if isinstance(spec, str) and "${" in spec:
        raise LoadError(
            f"the {section} holds {spec!r:.80}: a saved {section} holds values, no interpolations"
        )
    if isinstance(spec, Mapping):
        if "_target_" in spec:
            yield str(spec["_target_"])
        spec = spec.values()
    elif not isinstance(spec, list | tuple):
        return
    for value in spec:
        yield from _targets(section, value)


def function_problem(target: str, arguments: Sequence[str], keywords: Sequence[str] = ()) -> str | None:
    """Return why a dotted name is no function that can be called so; None when it may be one.

    `arguments` are given by their places, `keywords` by their names.
    """
    package, *rest = target.split(".")
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # an empty name, or a module that was never properly imported
        spec = None
    if spec is None:
        return f"there is no module {package!r}; install it or put it in the current folder"
    while rest and spec.submodule_search_locations:
        inner = PathFinder.find_spec(f"{spec.name}.{rest[0]}", list(spec.submodule_search_locations))
        if inner is None:
            break
        spec, rest = inner, rest[1:]
    if not rest:
        return "is a module; name a function in it"
    if spec.origin is None:
        return f"the folder {spec.name!r} holds no module {rest[0]!r}"
    file = Path(spec.origin)
    if file.suffix != ".py" or not file.is_file():
        return None  # compiled, or in an archive
    called = (tuple(arguments), tuple(keywords)) if len(rest) == 1 else None
    label = spec.name if file.name == "__init__.py" else file.name
    return _problem_in(file, file.stat().st_mtime_ns, rest[0], called, label)


@lru_cache(maxsize=64)  # all jobs of a sweep ask about the same function
def _problem_in(
    file: Path,
    _changed: int,
    name: str,
    called: tuple[tuple[str, ...], tuple[str, ...]] | None,
    label: str,
) -> str | None:
    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return f"{label}, line {error.lineno}: {error.msg}"
    nodes = dict(_defined(tree.body))
    if name in nodes:
        node = nodes[name]
        if isinstance(node, ast.Import):
            return "is a module; name a function in it"
        if isinstance(node, ast.FunctionDef) and not node.decorator_list and called is not None:
            return _misfit(node, *called)
        return None
    if "*" in nodes or any(word in text for word in _HIDES_NAMES):
        return None
    functions = [each for each, node in nodes.items() if isinstance(node, ast.FunctionDef)]
    return f"{label} defines no {name!r}{did_you_mean(name, functions or nodes)}"


def _defined(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Yield the names that statements at the top of a module define, also those under a condition."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((each.asname or each.name.partition(".")[0], node) for each in node.names)
        else:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    yield inner.id, node
            for name in ("body", "orelse", "finalbody"):
                yield from _defined(getattr(node, name, None) or [])
            for handler in getattr(node, "handlers", []):
                yield from _defined(handler.body)


def _misfit(node: ast.FunctionDef, arguments: Sequence[str], keywords: Sequence[str]) -> str | None:
    given, named = len(arguments), [*node.args.posonlyargs, *node.args.args]
    required = [each.arg for each in named[: len(named) - len(node.args.defaults)]][given:]
    by_name = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    required += [each.arg for each, default in by_name if default is None]
    known = {each.arg for each in (*node.args.args, *node.args.kwonlyargs)}
    known -= {each.arg for each in named[:given]}
    fits = node.args.vararg is not None or len(named) >= given
    if fits and {*required} <= {*keywords} and (node.args.kwarg is not None or {*keywords} <= known):
        return None
    called = ", ".join((*arguments, *(f"{each}=..." for each in keywords)))
    return f"is {node.name}({ast.unparse(node.args)}); it is called with ({called})"
