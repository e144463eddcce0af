"""The server as a process, until Ctrl-C ends it."""

import asyncio
import logging
import socket
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import FrameType

import uvicorn

from sweeps.dashboard.server.application import application
from sweeps.dashboard.server.listening import BACKLOG, open_browser, origin

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MOST_HEADER_BYTES = (
    1 << 18
)  # of a request: an address that names many runs, and where the reader of each stands
KEPT_OPEN_S = 30  # a connection without requests
PATIENCE_S = 1  # with answers that are under way at the end


def serve(
    listening: socket.socket,
    stores: Sequence[Path],
    *,
    token: str,
    hosts: Collection[str] = (),
    opens: bool = False,
) -> None:
    """Answer requests until Ctrl-C, which raises KeyboardInterrupt, or until SIGTERM, which ends the process.

    Open a browser first if `opens`.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a request that is none is not worth a line
    port = listening.getsockname()[1]
    guard, stop = application(stores, token=token, port=port, hosts={*LOOPBACK, *hosts})
    settings = uvicorn.Config(
        guard,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        timeout_keep_alive=KEPT_OPEN_S,
        timeout_graceful_shutdown=PATIENCE_S,
    )
    if opens:
        open_browser(f"{origin(listening)}/?token={guard.code()}")
    _Server(settings, stop).run([listening])


class _Server(uvicorn.Server):
    """A server whose streams end with it; otherwise they would hold its process."""

    def __init__(self, settings: uvicorn.Config, stop: Callable[[], None]) -> None:
        super().__init__(settings)
        self._stop = stop
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop)
