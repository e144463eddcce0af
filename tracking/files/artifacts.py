"""What becomes an artifact: a file, a folder, a figure or plain data, each in its place at once.

A copy can be read by no more people than its origin, and what could be executed still can.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from tracking.errors import InvalidNameError, InvalidValueError, quoted
from tracking.files import atomic, folders
from tracking.values import jsontext
from tracking.values.names import composed
from tracking.values.plain import plain

log = logging.getLogger("tracking")

YAML_ENDINGS = frozenset({".yaml", ".yml"})


def place_for(folder: Path, name: str, *, is_folder: bool) -> Path:
    """Return where an artifact of this name lies in the folder of artifacts; make the folders above it.

    Raise InvalidNameError where a link leads out, or a folder is to take the place of a file or the other way round.
    """
    name = composed(name)
    target = folder / name
    folders.make_dir(target.parent)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise InvalidNameError(f"artifact name {name!r} leads out of the artifacts folder through a link")
    if target.exists() and target.is_dir() is not is_folder:
        there, new = ("a file", "a folder") if is_folder else ("a folder", "a file")
        raise InvalidNameError(f"artifact {name!r} is {there} of this run; log {new} under another name")
    return target


def needed(name: str | PurePath | None, example: str) -> str | PurePath:
    """Return the name of an artifact that is no file; raise InvalidNameError without one."""
    if name is None:
        raise InvalidNameError(f"an artifact that is no file needs a name, such as {example!r}")
    return name


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder with all its files; it replaces a folder of that name when it is complete.

    Links are followed, because the files of a downloaded model may be links into a cache. Pipes, devices and links to
    nothing are left out with a warning. Raise InvalidValueError for a folder that holds `target` or a link to itself.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise InvalidValueError(
            f"the folder {str(source)!r} holds the store; log a folder outside of it, or its files one by one"
        )
    new = atomic.temporary_path(target)
    try:
        _copy_tree(source, new, (os.path.realpath(source),))
        if target.is_dir():
            folders.remove(target)
        with atomic.writing(target):
            new.rename(target)
        atomic.sync_dir(target.parent)
    finally:
        if new.exists():
            folders.remove_tree(new)


def figure_bytes(figure: Any, name: str) -> bytes:
    """Return a figure of matplotlib, or of anything with its `savefig`, in the format of the name's ending."""
    import io

    figure = getattr(figure, "figure", None) or figure  # axes belong to one
    if not callable(getattr(figure, "savefig", None)):
        raise InvalidValueError(
            f"{quoted(figure)} is no figure of matplotlib; save it to a file and log that with log_artifact"
        )
    target = io.BytesIO()
    try:
        figure.savefig(target, format=Path(name).suffix[1:] or None)
    except ValueError as error:
        raise InvalidValueError(f"the figure cannot be written as {name!r}: {error}") from None
    return target.getvalue()


def data_bytes(value: Any, name: str) -> bytes:
    """Return a dict or a list as text: as YAML if the name ends so, else as JSON."""
    if not isinstance(value, Mapping | list | tuple):
        raise InvalidValueError(f"{quoted(value)} is no dict or list; use log_artifact or log_text")
    values = plain(value, "the artifact")
    if Path(name).suffix in YAML_ENDINGS:
        try:
            import yaml
        except ImportError:  # it comes with Hydra, which the tracker does not need; JSON is YAML too
            pass
        else:
            return bytes(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, encoding="utf-8"))
    return jsontext.encode(values, indent=True) + b"\n"


def _copy_tree(source: Path, target: Path, above: tuple[str, ...]) -> None:
    with atomic.writing(target):
        target.mkdir()
    for path in sorted(source.iterdir()):
        copied = target / path.name
        if path.is_dir():
            real = os.path.realpath(path)
            if real in above:
                raise InvalidValueError(f"the folder {str(source)!r} holds a link to itself: {path.name!r}")
            _copy_tree(path, copied, (*above, real))
        elif path.is_file():
            atomic.copy_new(path, copied)
        else:
            log.warning("left out of the artifact: %s is no file", path)
    with atomic.writing(target):
        atomic.share_alike(source.stat(), target)
    atomic.sync_dir(target)
