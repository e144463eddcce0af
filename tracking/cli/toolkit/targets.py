"""Where commands write what they export: what `--output` names, which is no part of a store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracking.errors import InvalidValueError, StoreUnwritableError
from tracking.paths import StorePaths
from tracking.values.names import check_path


@contextmanager
def writing_output(store: str | os.PathLike[str], path: str | os.PathLike[str] | None) -> Iterator[None]:
    """Refuse an output among the store's own files, and name it where it cannot be written; None is stdout.

    Raise InvalidValueError for the first and StoreUnwritableError for the second.
    """
    if path is None:
        yield
        return
    if _is_own(StorePaths(check_path("store", store, example="experiments")), Path(path)):
        raise InvalidValueError(
            f"--output {str(path)!r} is among the store's own files; name a place outside of them"
        )
    try:
        yield
    except StoreUnwritableError as error:
        cause = error.__cause__
        reason = cause.strerror or cause if isinstance(cause, OSError) else error
        raise StoreUnwritableError(
            f"--output {str(path)!r} cannot be written: {reason}; name another place or free some space"
        ) from error


def _is_own(paths: StorePaths, path: Path) -> bool:
    base, target = Path(os.path.realpath(paths.base)), Path(os.path.realpath(path.expanduser()))
    owned = paths.runs, paths.trash, paths.models, paths.inner, paths.metadata, paths.original_metadata
    real = {base / each.name for each in owned} | {Path(os.path.realpath(each)) for each in owned}
    return target == base or not real.isdisjoint((target, *target.parents))
