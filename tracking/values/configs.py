"""OmegaConf configs, read value by value: one that cannot be resolved leaves all others resolved.

While an interpolation is resolved, the resolvers that it comes to are noted, also those behind other keys. So what Hydra
derives for each job, such as its output folder, is told from what a user chose. omegaconf is loaded with the config
that is read, never by this module.
"""

import contextlib
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Steadiness = dict[tuple[str, frozenset[str]], bool]

MISSING = "???"
PER_JOB_RESOLVERS = frozenset({"now", "hydra_override_dirname"})
# What Hydra sets anew in each job, below its own section. A chosen option (runtime.choices) is the user's.
PER_JOB_KEYS = (
    ("runtime", "output_dir"),
    ("job", "num"),
    ("job", "id"),
    ("job", "override_dirname"),
    ("overrides",),
    ("sweep",),
    ("run",),
)
_STEADY = re.compile(r"oc\..*|hydra|python_version")  # resolvers that give the same value twice
ASKED_AGAIN = 3  # a draw among a few values may come out the same once
_SEPARATORS = re.compile(r"[.\[\]]+")

_here = threading.local()  # its `note` is that of the interpolation which this thread resolves
_patching = threading.Lock()
_patches: list[tuple[Any, str, Any]] = []
_readers = 0


class Unresolved(str):
    """A value that cannot be resolved here, as its config writes it; `why` says what is wrong with it."""

    why: str

    @classmethod
    def of(cls, text: str, why: str) -> "Unresolved":
        """Return the text of a value, with the reason."""
        new = cls(text)
        new.why = why
        return new


@dataclass(frozen=True)
class Interpolation:
    """A value that is an interpolation: how it is written, and what it came to.

    `is_per_job` says that Hydra derives it for each job. `resolvers` are the names of those that it came to. `value` is
    `Unresolved` where it cannot be resolved, and a tree where it is a section.
    """

    text: str
    value: Any
    is_per_job: bool
    resolvers: frozenset[str]
    again: Callable[[], Any]  # resolves it anew, without what resolvers remember

    @property
    def is_steady(self) -> bool:
        """Whether it resolves to the same value each time; a resolver of the user's own is asked some times more."""
        if all(map(_STEADY.fullmatch, self.resolvers)):
            return True
        first = repr(_replaced(self.value, _value))
        return all(repr(_replaced(self.again(), _value)) == first for _ in range(ASKED_AGAIN))


@dataclass(frozen=True)
class ConfigReading:
    """A config as nested dicts and lists, enums by name, other values as they are.

    `tree` holds an `Interpolation` for each value that is one; `has_interpolations` says whether there are any.
    """

    tree: Any
    has_interpolations: bool

    def resolved(self) -> Any:
        """Return the values, each resolved where it can be, else `Unresolved`."""
        return self._with(_value)

    def written(self) -> Any:
        """Return the values with every interpolation as it is written."""
        return self._with(lambda found: found.text)

    def settled(self, is_steady: Steadiness) -> Any:
        """Return the values as `resolved`, but `Unresolved` where Hydra derives them per job or they change when read again.

        `is_steady` remembers what was found out about interpolations that are written alike and come to the same resolvers.
        """

        def value(found: Interpolation) -> Any:
            if isinstance(found.value, Unresolved):
                return found.value
            if found.is_per_job:
                return Unresolved.of(found.text, "it is another one in each job")
            alike = (found.text, found.resolvers)
            if alike not in is_steady:
                is_steady[alike] = found.is_steady
            if is_steady[alike]:
                return found.value
            return Unresolved.of(found.text, "it comes to another value each time it is asked")

        return self._with(value)

    def chosen(self) -> Any:
        """Return the values without what Hydra derives per job; in a list such a value stays as it is written."""
        return _chosen(self.tree) if self.has_interpolations else self.tree

    def _with(self, value: Callable[[Interpolation], Any]) -> Any:
        return _replaced(self.tree, value) if self.has_interpolations else self.tree


def read_config(config: Any, hydra: Any = None) -> ConfigReading:
    """Read an OmegaConf container.

    `hydra` is Hydra's section for the resolver ``hydra`` where no job runs yet; without it the resolver is asked. What
    Hydra derives per job cannot be resolved from it.
    """
    with contextlib.ExitStack() as stack:
        reader = _Reader(stack, hydra)
        return ConfigReading(reader.tree(config), reader.has_interpolations)


def is_config(value: Any) -> bool:
    """Return whether an object of OmegaConf is a container."""
    return bool(sys.modules["omegaconf"].OmegaConf.is_config(value))


def is_per_job(path: str) -> bool:
    """Return whether a key below Hydra's own section, or a section around one, is set anew in each job."""
    parts = tuple(part for part in _SEPARATORS.split(path) if part)
    return any(parts[: len(key)] == key[: len(parts)] for key in PER_JOB_KEYS)


def parameters_of(value: Any) -> Any:
    """Return the `chosen` values of an OmegaConf container without Hydra's own section; any other object unchanged."""
    if not is_config(value):
        return value
    chosen = read_config(value).chosen()
    if isinstance(chosen, dict) and "hydra" in chosen:
        section = value.__dict__["_content"]["hydra"]._metadata.object_type
        if getattr(section, "__name__", None) == "HydraConf":
            del chosen["hydra"]
    return chosen


class _Reader:
    """Builds the tree of one config. The stack holds the patches that let it note resolvers, from the first one on."""

    def __init__(self, stack: contextlib.ExitStack, hydra: Any) -> None:
        self._stack = stack
        self._hydra = hydra
        self._inside: set[int] = set()  # sections that interpolations led into
        self.has_interpolations = False

    def tree(self, node: Any) -> Any:
        fields = node.__dict__
        value = fields["_val"] if "_val" in fields else fields["_content"]
        if isinstance(value, dict) and "_content" in fields:
            return {
                key if type(key) is str else _by_name(key): self.tree(child) for key, child in value.items()
            }
        if isinstance(value, list) and "_content" in fields:
            return [self.tree(child) for child in value]
        if "_content" in fields and hasattr(value, "_metadata"):  # a union holds a node
            return self.tree(value)
        if isinstance(value, str):
            if "${" in value:
                return self._interpolation(node, value)
            if value == MISSING:
                return Unresolved.of(value, "it has no value yet")
        return _by_name(value)

    def _interpolation(self, node: Any, text: str) -> Interpolation:
        if not self.has_interpolations:
            self.has_interpolations = True
            self._stack.enter_context(_noting(type(node._get_root())))
        note = _Note(self._hydra)
        value = self._resolved(node, text, note)

        def again() -> Any:
            with contextlib.ExitStack() as stack, _without_memory(node._get_root()):
                stack.enter_context(_noting(type(node._get_root())))
                return _Reader(stack, self._hydra)._resolved(node, text, _Note(self._hydra))

        return Interpolation(text, value, note.is_per_job, frozenset(note.resolvers), again)

    def _resolved(self, node: Any, text: str, note: "_Note") -> Any:
        errors = sys.modules["omegaconf.errors"]
        outer, _here.note = getattr(_here, "note", None), note
        try:
            found = node._dereference_node()
        except RecursionError:
            return Unresolved.of(text, "it leads back to itself")
        except errors.OmegaConfBaseException as error:
            return Unresolved.of(text, str(error).partition("\n")[0])
        finally:
            _here.note = outer
        if "_content" not in found.__dict__:
            return _by_name(found.__dict__["_val"])
        if id(found) in self._inside:
            return Unresolved.of(text, "it leads back to itself")
        self._inside.add(id(found))
        try:
            return self.tree(found)
        finally:
            self._inside.remove(id(found))


class _Note:
    """The resolvers that one interpolation came to, and whether one of them gave what Hydra derives per job."""

    def __init__(self, hydra: Any) -> None:
        self._hydra = hydra
        self.resolvers: set[str] = set()
        self.is_per_job = False

    def resolver(self, name: str, arguments: tuple[Any, ...]) -> Callable[[], Any] | None:
        """Note a resolver; return what to ask instead, if anything."""
        self.resolvers.add(name)
        if name in PER_JOB_RESOLVERS:
            self.is_per_job = True
        if name != "hydra" or len(arguments) != 1:
            return None
        path = str(arguments[0])
        of_job = is_per_job(path)
        self.is_per_job |= of_job
        if self._hydra is None:
            return None
        if of_job:
            raise sys.modules["omegaconf.errors"].InterpolationResolutionError(
                f"hydra:{path} is known in the job only"
            )
        select = sys.modules["omegaconf"].OmegaConf.select
        return lambda: select(self._hydra, path)

    def key(self, path: str) -> None:
        """Note a key that an interpolation names."""
        head, _, rest = path.partition(".")
        self.is_per_job |= head == "hydra" and is_per_job(rest)


@contextlib.contextmanager
def _noting(kind: type) -> Iterator[None]:
    """Let OmegaConf tell `_here.note` which resolvers and keys it comes to; other threads notice nothing."""
    global _readers
    with _patching:
        _readers += 1
        if _readers == 1:
            for name, patched in (
                ("_evaluate_custom_resolver", _told_of_resolvers),
                ("_resolve_node_interpolation", _told_of_keys),
            ):
                owner = next(each for each in kind.__mro__ if name in each.__dict__)
                _patches.append((owner, name, owner.__dict__[name]))
                setattr(owner, name, patched(owner.__dict__[name]))
    try:
        yield
    finally:
        with _patching:
            _readers -= 1
            while _patches and not _readers:
                setattr(*_patches.pop())


def _told_of_resolvers(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    def told(self: Any, *positional: Any, **named: Any) -> Any:
        note = getattr(_here, "note", None)
        instead = note.resolver(named["inter_type"], named["inter_args"]) if note else None
        return instead() if instead else evaluate(self, *positional, **named)

    return told


def _told_of_keys(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def told(self: Any, *positional: Any, **named: Any) -> Any:
        if note := getattr(_here, "note", None):
            key = named["inter_key"]
            note.key(getattr(key, "raw", key))  # OmegaConf 2.4 has it in parts too
        return resolve(self, *positional, **named)

    return told


@contextlib.contextmanager
def _without_memory(root: Any) -> Iterator[None]:
    """Keep from resolvers what they remember of earlier calls (`use_cache`)."""
    metadata = root.__dict__["_metadata"]
    remembered, metadata.resolver_cache = metadata.resolver_cache, defaultdict(dict)
    try:
        yield
    finally:
        metadata.resolver_cache = remembered


def _by_name(value: Any) -> Any:
    return value.name if isinstance(value, Enum) else value


def _value(found: Interpolation) -> Any:
    return found.value


def _replaced(tree: Any, value: Callable[[Interpolation], Any]) -> Any:
    if isinstance(tree, Interpolation):
        return _replaced(value(tree), value)
    if isinstance(tree, Mapping):
        return {key: _replaced(item, value) for key, item in tree.items()}
    return [_replaced(item, value) for item in tree] if isinstance(tree, list) else tree


def _chosen(tree: Any) -> Any:
    if isinstance(tree, Interpolation):
        return tree.text if tree.is_per_job else _chosen(tree.value)
    if isinstance(tree, list):
        return [_chosen(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    kept = {}
    for key, item in tree.items():
        if isinstance(item, Interpolation) and item.is_per_job:
            continue
        chosen = _chosen(item)
        if chosen != {} or item == {}:  # a section of which nothing is left is no parameter either
            kept[key] = chosen
    return kept
