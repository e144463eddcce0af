"""Texts that change when a page may show something else, asked for by one task for all streams that watch them.

A task asks as long as somebody watches. It asks more seldom the longer an answer takes, and while nothing changes: a quiet
store costs next to nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from sweeps.dashboard.server.answers import ERRORS

SHORTEST_S = 0.5
LONGEST_S = 10.0
BUSY_SHARE = 0.05  # of a core that asking may take while answers differ
QUIET_SHARE = 0.0025  # and while they do not
QUIET_S = 10.0  # without a difference: quiet


@dataclass
class Pulse:
    """The last answer to a question; None before the first one, and while it cannot be read."""

    ask: Callable[[], str]
    value: str | None = None
    watchers: int = 0
    task: "asyncio.Task[None] | None" = None
    changed: float = field(default_factory=time.monotonic)

    async def beat(self, limiter: anyio.CapacityLimiter) -> None:
        """Ask again and again."""
        while True:
            value, spent = await anyio.to_thread.run_sync(self._asked, limiter=limiter)
            now = time.monotonic()
            if value != self.value:
                self.value, self.changed = value, now
            share = BUSY_SHARE if now - self.changed < QUIET_S else QUIET_SHARE
            await asyncio.sleep(min(max(SHORTEST_S, spent / share), LONGEST_S))

    def _asked(self) -> tuple[str | None, float]:
        """Return the answer, and the seconds of a core that it took."""
        begun = time.thread_time()
        value = None
        with contextlib.suppress(*ERRORS):  # such as a sweep that was removed, or a store that comes back
            value = self.ask()
        return value, time.thread_time() - begun


class Pulses:
    """The questions that streams watch, each asked once for all of them."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Pulse] = {}
        self._limiter: anyio.CapacityLimiter | None = None

    def watch(self, key: Hashable, ask: Callable[[], str]) -> Pulse:
        """Return the pulse of a question, which beats until as many have left as came."""
        self._limiter = self._limiter or anyio.CapacityLimiter(1)
        pulse = self._known.setdefault(key, Pulse(ask))
        pulse.watchers += 1
        if pulse.task is None:
            pulse.task = asyncio.create_task(pulse.beat(self._limiter))
        return pulse

    def leave(self, key: Hashable) -> None:
        """Watch no more; the last one to leave ends the task."""
        pulse = self._known[key]
        pulse.watchers -= 1
        if not pulse.watchers:
            del self._known[key]
            if pulse.task is not None:
                pulse.task.cancel()
