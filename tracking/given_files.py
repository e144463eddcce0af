"""Files at places that users name outside of the store, where there may be a link, a device or a pipe."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tracking import files


@contextlib.contextmanager
def filling(path: Path) -> Iterator[tuple[Path, int]]:
    """An open file to be filled, which then appears at `path` at once and whole; nothing changes when that fails.

    A link stays one, and what it leads to is replaced. What is no regular file is written into, once all is there.
    """
    if path.exists() and not path.is_file():
        import shutil  # here: only who writes into a device needs them
        import tempfile

        with files.writing(path), path.open("wb") as target, tempfile.NamedTemporaryFile() as new:
            yield Path(new.name), new.fileno()
            with Path(new.name).open("rb") as filled:
                shutil.copyfileobj(filled, target)
        return
    place = Path(os.path.realpath(path))
    with files.beside(place) as (beside, handle):
        yield beside, handle
        beside.replace(place)
