"""Which jobs may share a process: those of one group, as a function of the user's tells from a job's config.

A group is named by any text. A job without one has a process of its own.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

from hydra.utils import get_method
from omegaconf import DictConfig

from sweeps.errors import SettingsError
from sweeps.settings.launcher_settings import LauncherSettings
from tracking.values.secrets import masked_text

GroupOf = Callable[[DictConfig], str | None]

MANY = "hydra.launcher.many"
EVERYONE = ""  # the one group of a sweep that names none: its jobs do the same for different configs


def in_no_group(_config: DictConfig) -> None:
    """Return no group."""


def in_one_group(_config: DictConfig) -> str:
    """Return the group of all jobs."""
    return EVERYONE


def grouping(fuse_key: str | None, launcher: LauncherSettings) -> GroupOf:
    """Return the function that tells the group of a job from its config, as the task sees it.

    That is the one with the dotted name `fuse_key`; without it, jobs share a process only if the launcher has a function
    for `many` of them. Raise `SettingsError` for one that cannot be imported; the function returned raises that for an
    answer that is no text, and for whatever the user's function raises.
    """
    if launcher.many is not None:
        function_named(f"{MANY}={launcher.many}", launcher.many)
    if launcher.together == 1:
        return in_no_group
    if fuse_key is None:
        return in_no_group if launcher.many is None else in_one_group
    place = f"hydra.sweeper.fuse_key={fuse_key}"
    return partial(_group, place, function_named(place, fuse_key))


def function_named(place: str, dotted: str) -> Callable[..., object]:
    """Return the function with a dotted name; raise `SettingsError`, which begins with the setting, if there is none."""
    with _refusing(place):
        function: Callable[..., object] = get_method(dotted)
    return function


def _group(place: str, ask: Callable[[DictConfig], object], config: DictConfig) -> str | None:
    with _refusing(place):
        group = ask(config)
    if group is not None and not isinstance(group, str):
        raise SettingsError(
            f"{place} returned {type(group).__name__}: it must return a text, or None for no group"
        )
    return group


@contextlib.contextmanager
def _refusing(place: str) -> Iterator[None]:
    """Raise `SettingsError` for whatever a user's module or function raises in the block."""
    try:
        yield
    except Exception as error:
        raise SettingsError(f"{place}: {masked_text(str(error) or type(error).__name__)}") from error
