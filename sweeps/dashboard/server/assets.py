"""The files that the pages are made of, as the package holds them."""

import gzip
import os
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sweeps.dashboard.server.answers import answered, takes_gzip
from sweeps.dashboard.server.stores import UnknownPlaceError

FOLDER = Path(__file__).resolve().parents[1] / "assets"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
PAGE = "index.html"


class Asset(NamedTuple):
    """A file, as it is and compressed, with the tag of its content."""

    stamp: tuple[int, int]
    plain: bytes
    packed: bytes
    tag: str


_known: dict[Path, Asset] = {}


def page(request: Request) -> Any:
    """Return the one page, which shows what the part of its address after # says."""
    return _served(request, PAGE)


def asset(request: Request) -> Any:
    """Return a file of the package by its name."""
    return _served(request, request.path_params["path"])


def _served(request: Request, name: str) -> Response:
    """Return a file, or 304 if the browser has it already: it asks each time, so a new version is seen at once."""
    path = FOLDER / name
    if path not in _known and (name not in _names() or path.suffix not in TYPES):
        raise UnknownPlaceError(f"there is no file {name} of the pages")
    found = _read(path)
    tag = f'W/"{found.tag}"'  # weak, as it names both forms
    headers = {"cache-control": "no-cache", "etag": tag, "vary": "accept-encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    headers["content-type"] = TYPES[path.suffix]
    if takes_gzip(request):
        return Response(found.packed, headers={**headers, "content-encoding": "gzip"})
    return Response(found.plain, headers=headers)


def _names() -> set[str]:
    """Return the files by their names; what is not one of these is never looked for."""
    return {
        Path(folder, name).relative_to(FOLDER).as_posix()
        for folder, _, files in os.walk(FOLDER)
        for name in files
    }


def _read(path: Path) -> Asset:
    state = path.stat()
    stamp = (state.st_mtime_ns, state.st_size)
    known = _known.get(path)
    if known is None or known.stamp != stamp:
        plain = path.read_bytes()
        known = _known[path] = Asset(
            stamp, plain, gzip.compress(plain, 6, mtime=0), sha256(plain).hexdigest()[:20]
        )
    return known


ROUTES = [Route("/", answered(page)), Route("/assets/{path:path}", answered(asset))]
