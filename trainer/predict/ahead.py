"""Items made ahead in a thread: rows are read and encoded while torch is loaded, and while a model scores those before."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_END = object()


@contextmanager
def ahead(items: Iterable[T], *, count: int = 2) -> Iterator[Iterator[T]]:
    """Begin to make items at once, at most `count` of them ahead, and yield an iterator over them.

    An error of theirs is raised where they are used. When the block ends, however it ends, no more are made.
    """
    made = iter(items)
    with ThreadPoolExecutor(1) as pool:  # one thread, so that the items come in order
        waiting: deque[Future[Any]] = deque(pool.submit(next, made, _END) for _ in range(count))

        def taken() -> Iterator[T]:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(pool.submit(next, made, _END))
                yield item

        try:
            yield taken()
        finally:
            pool.shutdown(cancel_futures=True)
