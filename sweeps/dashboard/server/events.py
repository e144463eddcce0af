"""The event stream: one connection of a page, that tells of all that the page shows and that changes.

The id of each event says where its reader stands then in what the event tells of. A page that was cut off, also by a
restart of the server, asks with what the ids of all events say together, and the stream goes on exactly there.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from sweeps.dashboard.facts.sweep_list import page_stamp, sweeps_stamp
from sweeps.dashboard.server.answers import ERRORS, browser_json, error_response
from sweeps.dashboard.server.asked import numbered
from sweeps.dashboard.server.followers import Followers
from sweeps.dashboard.server.pulses import Pulse, Pulses
from sweeps.dashboard.server.stores import OpenStore
from sweeps.dashboard.server.watch_list import Event, WatchList, watch_list
from tracking.registry import models_stamp

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

T = TypeVar("T")
Key = tuple[int, str, str]  # the number of a store, what is watched, and the sweep if it is one

THREADS = 2
TICK_S = 0.25  # between two looks at what other tasks have asked for
RETRY_MS = 500
SILENCE_S = 15.0  # after which a comment keeps the connection
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy must not wait for more
]


@dataclass
class Hub:
    """What all event streams of a server share."""

    pulses: Pulses = field(default_factory=Pulses)
    _streams: set[asyncio.Event] = field(default_factory=set)
    _limiter: anyio.CapacityLimiter | None = None

    @contextlib.contextmanager
    def stream(self) -> Iterator[asyncio.Event]:
        """Return what is set when a stream shall end."""
        over = asyncio.Event()
        self._streams.add(over)
        try:
            yield over
        finally:
            self._streams.remove(over)

    async def read(self, function: Callable[[], T]) -> T:
        """Run a function that reads files in one of the threads of the streams."""
        self._limiter = self._limiter or anyio.CapacityLimiter(THREADS)  # made in the loop that it belongs to
        return await anyio.to_thread.run_sync(function, limiter=self._limiter)

    def stop(self) -> None:
        """End all streams; to be called in the event loop."""
        for over in self._streams:
            over.set()


class EventStream:
    """The ASGI application of one event stream."""

    def __init__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        self._request = Request(scope, receive)
        self._receive = receive
        self._send = send
        self._hub: Hub = self._request.app.state.hub

    def __await__(self) -> Any:
        """Answer the request."""
        return self._answer().__await__()

    async def _answer(self) -> None:
        try:
            watch = watch_list(self._request.query_params.get("watch", ""))
            watch.resume(self._request.query_params.get("last", ""))
            watch.resume(self._request.headers.get("last-event-id", ""))
            store = numbered(self._request, watch.store)
            for sweep in watch.sweep:
                await self._hub.read(partial(store.sweep_folder, sweep))
        except ERRORS as error:
            response = error_response(error, self._request)
            await response(self._request.scope, self._receive, self._send)
            return
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if self._request.method != "HEAD":
            with self._hub.stream() as over:
                leaving = asyncio.create_task(self._leave(over))
                try:
                    await self._tell(store, watch, over)
                finally:
                    leaving.cancel()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _leave(self, over: asyncio.Event) -> None:
        """End the stream when its reader has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        over.set()

    async def _tell(self, store: OpenStore, watch: WatchList, over: asyncio.Event) -> None:
        pulses = self._hub.pulses
        beats = {key: pulses.watch(key, ask) for key, ask in _questions(store, watch)}
        followers = Followers(store.reader, watch)
        try:
            await self._write(f"retry: {RETRY_MS}\n\n".encode())
            spoken = time.monotonic()
            while not over.is_set():
                events = _differences(watch, beats)
                if followers.wait_s() == 0:
                    events += await self._hub.read(followers.look)
                text = _text(events, watch)
                if text or time.monotonic() - spoken > SILENCE_S:
                    await self._write(text or b":\n\n")
                    spoken = time.monotonic()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(TICK_S, followers.wait_s())):
                        await over.wait()
        finally:
            for key in beats:
                pulses.leave(key)
            followers.close()

    async def _write(self, part: bytes) -> None:
        await self._send({"type": "http.response.body", "body": part, "more_body": True})


def _questions(store: OpenStore, watch: WatchList) -> Iterator[tuple[Key, Callable[[], str]]]:
    """Yield what a stream watches beside runs, and how to ask for it."""
    if watch.table is not None:
        yield (store.number, "table", ""), store.reader.version
    if watch.sweeps is not None:
        yield (store.number, "sweeps", ""), partial(sweeps_stamp, store.path)
    if watch.models is not None:
        yield (store.number, "models", ""), partial(models_stamp, store.path)
    for sweep in watch.sweep:
        yield (store.number, "sweep", sweep), partial(_stamp, store, sweep)


def _stamp(store: OpenStore, sweep: str) -> str:
    return page_stamp(store.sweep_folder(sweep))


def _differences(watch: WatchList, beats: Mapping[Key, Pulse]) -> list[Event]:
    """Return an event for each thing that is watched and is not as the page has seen it last."""
    events: list[Event] = []
    for (_, what, sweep), pulse in beats.items():
        value, seen = pulse.value, watch.sweep[sweep] if sweep else getattr(watch, what)
        if value is not None and value != seen:
            data = {"version" if what == "table" else "stamp": value}
            events.append(Event(what, {"sweep": sweep, **data} if sweep else data, what, sweep, value))
    return events


def _text(events: Sequence[Event], watch: WatchList) -> bytes:
    """Return events as they are sent, each with where the reader stands after it: who reads may be cut off between two."""
    parts = []
    for event in events:
        watch.move(event)
        if event.name:
            names = (event.name.encode(), watch.event_id(), browser_json(event.data))
            parts.append(b"event: %s\nid: %s\ndata: %s\n\n" % names)
    return b"".join(parts)
