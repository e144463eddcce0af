"""Jobs of one process that take turns: one runs at a time, and they meet to compute something together.

Whoever runs several jobs in one process is their `Host`, for the time of `hosted`. Each job then goes on as if it were
alone in its process: the host puts away what belongs to a job, also the lists that `per_job` has made, while another
one has its turn. Without a host every job is alone.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")
Each = TypeVar("Each")

Work = Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True)
class Raised:
    """A result of work for several jobs: the error that one of them gets. Several may get the same."""

    error: BaseException
    trace: TracebackType | None = field(
        init=False, repr=False
    )  # without the frames of the jobs that raise it

    def __post_init__(self) -> None:
        object.__setattr__(self, "trace", self.error.__traceback__)


class Host(Protocol):
    """Runs the jobs of this process in turns."""

    def has_turn(self) -> bool:
        """Return whether the code that calls this is that of a job, in the job's own thread."""

    def meet(self, work: Work, item: Any, *, first: bool = False) -> Any:
        """Suspend the job until the others wait too; return its result, or raise its error."""


_host: Host | None = None
_lists: list[list[Any]] = []


def together(work: Callable[[Sequence[T]], Sequence[R]], item: T, *, first: bool = False) -> R:
    """Compute an item with those of the other jobs of this process, and return its result.

    `work` takes a list of items and returns a result for each. In a group of jobs it is called once all of them wait
    here or have ended, with the items of those that passed the same `work`, in the order of the jobs. It runs outside
    of the jobs: a run that it logs into is none of theirs, and what it prints goes to the log of the process's first job.
    With `first`, it is computed before all work that is not, and its jobs go on until they wait for something else.

    A result that is a `Raised`, or an exception, is raised in its job alone; what `work` itself raises, in each of them.
    Outside of a group, and in other threads than the job's own, this is ``work([item])[0]``.
    """
    if _host is not None and _host.has_turn():
        result: R = _host.meet(work, item, first=first)
    else:
        result = raised_or(computed(work, [item])[0])
    return result


def is_grouped() -> bool:
    """Return whether this code runs as one of several jobs of a process."""
    return _host is not None and _host.has_turn()


def computed(work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> list[R]:
    """Return the results of some work, one for each item; raise ValueError for another number of them, TypeError for no list."""
    found, name = work(items), getattr(work, "__qualname__", repr(work))
    if not isinstance(found, Iterable) or isinstance(found, str | bytes | Mapping | Set):
        raise TypeError(
            f"{name} returned {type(found).__name__}; a list with a result for each item is needed"
        )
    results = list(found)
    if len(results) != len(items):
        raise ValueError(
            f"{name} returned {len(results)} results for {len(items)} items; one for each is needed"
        )
    return results


def raised_or(result: Any) -> Any:
    """Return a result; raise the error that it stands for."""
    if isinstance(result, type) and issubclass(result, BaseException):
        result = result()
    raised = Raised(result) if isinstance(result, BaseException) else result
    if isinstance(raised, Raised):
        raise raised.error.with_traceback(raised.trace)
    return result


@contextlib.contextmanager
def hosted(host: Host) -> Iterator[None]:
    """Make `host` the one that runs the jobs of this process in the block."""
    global _host
    _host, before = host, _host
    try:
        yield
    finally:
        _host = before


def per_job(items: list[Each]) -> list[Each]:
    """Return `items`, a list of this process that each job of a group has for itself; it is empty where a job begins."""
    _lists.append(items)
    return items


def read_lists() -> list[list[Any]]:
    """Return the present content of the lists that each job has for itself."""
    return [each.copy() for each in _lists]


def write_lists(contents: Sequence[list[Any]]) -> None:
    """Give these lists the content that `read_lists` returned; one that was made since is empty."""
    for place, each in enumerate(_lists):
        each[:] = contents[place] if place < len(contents) else []
