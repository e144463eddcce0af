"""How the processes of a Dask worker end while nodes run on it: in order, however long the jobs may take to stop.

By itself a nanny gives its worker some seconds and kills it then, and a worker that gets SIGTERM ends at once.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from distributed import NannyPlugin, Worker
from distributed.comm.addressing import parse_address, parse_host_port

ENDS_WITHIN_S = (
    30.0  # how long a process may take to end after its nodes; Dask's can hang when the scheduler ends too
)
POLL_S = 0.1
Leave = Callable[[], Awaitable[None]]
_ending = set[asyncio.Task[None]]()  # or they might be collected while they run


class _NodesFirst(NannyPlugin):
    """Has a nanny that closes wait until nothing runs on its worker any more; `leave` is what the worker does for it, pickled."""

    def __init__(self, leave: bytes) -> None:
        self._leave = leave

    async def teardown(self, nanny: Any) -> None:
        """Have the nodes of the worker leave, and wait for that as long as the worker's process is there."""
        process, address = nanny.process, nanny.worker_address
        if process is None or address is None:
            return
        calling = asyncio.ensure_future(self._call(nanny, address))
        while process.is_alive() and not calling.done():
            await asyncio.wait([calling], timeout=POLL_S)
        calling.cancel()

    async def _call(self, nanny: Any, address: str) -> None:
        with contextlib.suppress(OSError):
            async with nanny.rpc(address) as worker:
                await worker.run(function=self._leave)


async def has_ended(address: str) -> bool:
    """Return whether the process of a worker has ended: its machine refuses connections. The scheduler calls it.

    A worker that is cut off, or hangs, refuses none.
    """
    host, port = parse_host_port(parse_address(address)[1])
    try:
        _, connection = await asyncio.open_connection(host, port)
    except OSError as error:
        return isinstance(error, ConnectionRefusedError)
    connection.close()
    return False


async def hold_nanny(worker: Worker, leave: Leave, name: str) -> None:
    """Have the nanny of a worker, if it has one, close it only after `leave`; `name` is that of the plug-in."""
    if worker.nanny:
        address: Any = worker.nanny
        with contextlib.suppress(Exception):  # a nanny that cannot import this closes as it always does
            async with worker.rpc(address) as nanny:
                await nanny.plugin_add(plugin=pickle.dumps(_NodesFirst(pickle.dumps(leave))), name=name)


def end_after(leave: Leave) -> None:
    """Have this process, if the loop of its worker runs in the main thread, do on SIGTERM what it does anyway, but after `leave`.

    A second signal ends it as it always does.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    earlier: Any = signal.getsignal(signal.SIGTERM)

    async def end() -> None:
        with contextlib.suppress(OSError):
            await leave()
        last = threading.Timer(ENDS_WITHIN_S, os._exit, (1,))
        last.daemon = True
        last.start()
        if callable(earlier):  # of the command `dask worker`
            earlier(signal.SIGTERM, None)
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    def begin() -> None:
        task = loop.create_task(end())
        _ending.add(task)
        task.add_done_callback(_ending.discard)

    def handle(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, earlier)
        loop.call_soon_threadsafe(begin)

    signal.signal(signal.SIGTERM, handle)
