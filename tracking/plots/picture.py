"""Figures as files: PNG, SVG or PDF, with the same bytes for the same figure."""

import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidValueError, quoted
from tracking.files import atomic

if TYPE_CHECKING:  # matplotlib is only loaded to draw
    from matplotlib.figure import Figure


class PictureFormat(StrEnum):
    """The formats of pictures."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"

    @classmethod
    def of(cls, path: Path) -> "PictureFormat":
        """Return the format that a file's suffix names; raise InvalidValueError for any other suffix."""
        suffix = path.suffix.lower().removeprefix(".")
        if suffix not in list(cls):
            allowed = ", ".join(f".{each}" for each in cls)
            raise InvalidValueError(f"the picture {quoted(str(path))} ends in none of {allowed}")
        return cls(suffix)


def write_figure(path: Path, figure: "Figure") -> Path:
    """Write a figure, whole, in the format of the path's suffix, and return the path; write into a device or a pipe.

    The file has no date, and its reader needs no font: SVG has text as outlines, PDF embeds the font.
    """
    import matplotlib

    kind = PictureFormat.of(path)
    dates: dict[PictureFormat, dict[str, Any]] = {
        PictureFormat.SVG: {"Date": None},
        PictureFormat.PDF: {"CreationDate": None},
    }
    picture = io.BytesIO()
    # the salt makes the ids inside an SVG the same every time
    with matplotlib.rc_context({"svg.hashsalt": "podium", "svg.fonttype": "path", "pdf.fonttype": 42}):
        figure.savefig(picture, format=kind.value, metadata=dates.get(kind))
    with atomic.filling(path) as (_, handle):
        atomic.write_all(handle, picture.getvalue())
    return path
