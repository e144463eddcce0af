"""The pictures that the winner's run keeps, such as its calibration, made small for a report that is one file."""

import base64
import io
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sweeps.ranking.status import SweepStatus
from tracking import TrackingError
from tracking.browse.reader import StoreReader
from tracking.extras import BROKEN

MOST = 6
LARGEST = 2_000_000  # bytes of a file that is read
SMALL = 60_000  # bytes of a picture in the report
MOST_PIXELS = 16_000_000
WIDEST = 1000  # pixels
COLOURS = 48

Shown = dict[str, str]  # {"title", "src"}


def winner_pictures(found: SweepStatus) -> list[Shown]:
    """Return the pictures among the winner's artifacts, the first six by name; one that stays too large is left out.

    Only what is a picture by its content is taken, and nothing that a link leads to.
    """
    winner = found.board.winner
    if winner is None or winner.run is None:
        return []
    run = Path(winner.run)
    reader = StoreReader(run.parents[1] if run.is_absolute() else found.folder.parent.parent)
    taken: list[Shown] = []
    try:
        names = [each["path"] for each in reader.run(run.name)["files"] if each["image"]]
        for name in names:
            picture = _picture(reader, run.name, name) if len(taken) < MOST else None
            if picture is not None:
                taken.append(picture)
    except TrackingError:
        pass  # the run goes while it is read
    return taken


def _picture(reader: StoreReader, run_id: str, name: str) -> Shown | None:
    file = reader.file(run_id, name)
    with file.stream:
        data = file.stream.read(LARGEST + 1)
    kind = file.image
    if kind is None or len(data) > LARGEST:
        return None
    if has_pillow():
        small = small_png(data)
        if small is None:
            return None
        if len(small) < len(data):
            kind, data = "image/png", small
    if len(data) > SMALL:
        return None
    source = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return {"title": Path(name).stem.replace("_", " "), "src": source}


def has_pillow() -> bool:
    """Return whether pictures can be made small; matplotlib brings what that needs."""
    try:
        return find_spec("PIL") is not None and import_module("PIL.Image") is not None
    except BROKEN:
        return False


def small_png(data: bytes, widest: int = WIDEST) -> bytes | None:
    """Return a picture with few colours and no wider than a page; None for one that is damaged or too large. Needs Pillow."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            shown = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow raises for damage
        return None
    if shown.width > widest:
        shown = shown.resize((widest, round(shown.height * widest / shown.width)))
    small = io.BytesIO()
    shown.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        small, format="png"
    )
    return small.getvalue()
