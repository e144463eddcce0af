"""What a forked child renews: locks that a thread of its parent may hold, and handlers and files that are its parent's.

A child has one thread, the one that forked. A lock that another thread held is never released in it.
"""

import functools
import os
import weakref
from collections.abc import Callable
from types import MethodType

Renew = Callable[[], None]

_functions: set[Renew] = set()
_methods: "weakref.WeakKeyDictionary[object, Callable[..., None]]" = weakref.WeakKeyDictionary()


def renew_in_children(renew: Renew) -> None:
    """Call `renew` first thing in each process that is forked from now on; a method as long as its object lives."""
    _watch_forks()
    if isinstance(renew, MethodType):
        _methods[renew.__self__] = renew.__func__
    else:
        _functions.add(renew)


@functools.cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_renew_all)


def _renew_all() -> None:
    for renew in list(_functions):
        renew()
    for thing, method in list(_methods.items()):
        method(thing)
