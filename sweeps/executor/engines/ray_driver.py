"""The process that speaks to Ray for a sweep. It is a process of its own, because Ray ends its users' processes with the cluster.

It reads what to do from stdin and tells what happens on stdout, as `ray_pipe` packs it. At the end of stdin it ends all nodes, and the
Ray that it has started. What Ray raises ends it.
"""

import asyncio
import contextlib
import math
import os
import signal
import socket
import threading
from collections.abc import Mapping
from typing import Any

import ray

from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.cluster.frames import read_frame, write_frame
from sweeps.executor.engines.ray_pipe import FOR_GOOD, Kind, Told, unpacked
from sweeps.executor.engines.ray_places import NAMESPACE, Places, Wanted
from sweeps.settings.ray_settings import cores

STORE_BYTES = 200_000_000  # of a Ray of our own, for large messages
ANSWERS_WITHIN_S = 20.0  # how long a machine may take to answer at all; Ray itself tries for minutes


def main() -> None:
    """Do what the process at the other end of stdin says, until that end is closed; what fails is said on stderr."""
    source, sink = os.dup(0), os.dup(1)
    with open(os.devnull) as nothing:  # noqa: PTH123 - a device
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what Ray prints is no message
    first = read_frame(source)
    if first is not None:
        _Driver(source, sink).run(unpacked(first).said)
    os._exit(0)


class _Driver:
    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._loop = asyncio.new_event_loop()
        self._is_connected = False
        self._is_over = asyncio.Event()
        self._places: Places | None = None
        self._watching: asyncio.Task[None] | None = None

    def run(self, settings: Mapping[str, Any]) -> None:
        """Connect to Ray, and serve the sweep until it is over; raise what Ray raises."""
        threading.Thread(target=self._listen, name="podium-ray", daemon=True).start()
        _connect(settings)
        signal.signal(signal.SIGTERM, lambda *_: None)  # the sweep's process decides; Ray would end this one
        self._is_connected = True
        self._loop.run_until_complete(self._serve())
        with contextlib.suppress(Exception):  # the cluster may have gone
            ray.shutdown()

    async def _serve(self) -> None:
        await self._is_over.wait()
        if self._places is not None and self._watching is not None:
            if self._watching.done():
                self._watching.result()
            self._watching.cancel()
            await self._places.end()

    def _listen(self) -> None:
        """Hear the sweep; it is over when it cannot be heard any more."""
        while (message := read_frame(self._source)) is not None:
            self._loop.call_soon_threadsafe(self._hear, unpacked(message))
        if not self._is_connected:
            os._exit(0)
        self._loop.call_soon_threadsafe(self._is_over.set)

    def _hear(self, told: Told) -> None:
        if told.kind is Kind.BEGIN:
            said = told.said
            wanted = Wanted(**{**said, "command": NodeCommand(**said["command"])})
            self._places = Places(wanted, self._tell)
            self._watching = asyncio.ensure_future(self._places.watch())
            self._watching.add_done_callback(lambda _watching: self._is_over.set())
        elif self._places is not None and told.kind is Kind.SEND:
            self._places.send(told.node, told.body)
        elif self._places is not None and told.kind is Kind.CLOSE:
            self._places.close(told.node, for_good=told.body == FOR_GOOD)

    def _tell(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # the sweep has gone
            write_frame(self._sink, message)


def _connect(settings: Mapping[str, Any]) -> None:
    """Connect to the Ray at an address, or start one on this machine; raise what Ray raises."""
    quietly: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": "ERROR"}
    address, request = settings["address"], settings["request"]
    if address is not None:
        host, colon, port = address.rpartition("://")[2].rpartition(":")
        if colon:
            socket.create_connection((host.strip("[]"), int(port)), ANSWERS_WITHIN_S).close()
        ray.init(address, **quietly)
        return
    cpus = max(cores(), math.ceil(request.get("CPU", 0.0)))  # so a node has room, whatever n_jobs is
    ray.init("local", num_cpus=cpus, include_dashboard=False, object_store_memory=STORE_BYTES, **quietly)
    there = ray.cluster_resources()
    for name, amount in request.items():
        if there.get(name, 0.0) < amount:
            raise LookupError(
                f"a node takes {name} {amount:g}, and this machine has {there.get(name, 0.0):g}"
            )
