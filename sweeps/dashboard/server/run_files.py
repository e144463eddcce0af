"""The files of a run, as downloads; pictures of a few kinds also to be shown.

A page that a run has left among its artifacts would run with the rights of the dashboard if a browser showed it. So a file
is an attachment of no type, whatever its name says.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from sweeps.dashboard.server.answers import FRESH, WrongCallError, answered
from sweeps.dashboard.server.asked import reader_of, text_of

if TYPE_CHECKING:
    from tracking.browse.run_files import RunFile

PART_BYTES = 1 << 18
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def run_file(request: Request) -> Any:
    """Return a file of a run; with ?show=1 a picture as one."""
    file = reader_of(request).file(request.path_params["run"], request.path_params["path"])
    try:
        headers = _headers(file, is_shown=text_of(request, "show") == "1")
    except WrongCallError:
        file.stream.close()
        raise
    return StreamingResponse(_parts(file.stream, file.size), headers=headers)


def _headers(file: "RunFile", *, is_shown: bool) -> dict[str, str]:
    kind, placed = "application/octet-stream", "attachment"
    if is_shown:
        if file.image not in PICTURES:
            raise WrongCallError(f"{file.name} is no picture that is shown; leave out show=1")
        kind, placed = str(file.image), "inline"
    name = quote(file.name.encode(errors="replace"), safe="")
    return {
        **FRESH,
        "content-type": kind,
        "content-length": str(file.size),
        "content-disposition": f"{placed}; filename*=UTF-8''{name}",
        "content-security-policy": "default-src 'none'; sandbox",
    }


async def _parts(stream: BinaryIO, size: int) -> AsyncIterator[bytes]:
    """Yield exactly `size` bytes: a file that grows meanwhile is cut, one that shrinks ends the connection."""
    with stream:
        while size > 0:
            part = await anyio.to_thread.run_sync(stream.read, min(PART_BYTES, size))
            if not part:
                return
            size -= len(part)
            yield part


ROUTES = [Route("/api/{store:int}/run/{run}/file/{path:path}", answered(run_file))]
