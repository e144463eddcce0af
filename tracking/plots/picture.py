"""A figure as a file: PNG, SVG or PDF, the same bytes for the same figure."""

import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidValueError, quoted
from tracking.files import atomic

if TYPE_CHECKING:  # matplotlib is only loaded by those who draw
    from matplotlib.figure import Figure


class PictureFormat(StrEnum):
    """The kinds of picture files."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"

    @classmethod
    def of(cls, path: Path) -> "PictureFormat":
        """The format that a file's suffix asks for; InvalidValueError for any other suffix."""
        suffix = path.suffix.lower().removeprefix(".")
        if suffix not in list(cls):
            allowed = ", ".join(f".{each}" for each in cls)
            raise InvalidValueError(f"the picture {quoted(str(path))} ends in none of {allowed}")
        return cls(suffix)


def write_figure(path: Path, figure: "Figure") -> Path:
    """Write a figure in the format of the path's suffix, at once; the path. A device or a pipe is written into.

    No date goes into the file, and text needs no font of the reader's: SVG has it as outlines, PDF embeds it.
    """
    import matplotlib

    kind = PictureFormat.of(path)
    dates: dict[PictureFormat, dict[str, Any]] = {
        PictureFormat.PNG: {},
        PictureFormat.SVG: {"Date": None},
        PictureFormat.PDF: {"CreationDate": None},
    }
    picture = io.BytesIO()
    # the salt makes the names inside an SVG the same each time; there is no other way to give it
    with matplotlib.rc_context({"svg.hashsalt": "podium", "svg.fonttype": "path", "pdf.fonttype": 42}):
        figure.savefig(picture, format=kind.value, metadata=dates[kind])
    with atomic.filling(path) as (_, handle):
        atomic.write_all(handle, picture.getvalue())
    return path
