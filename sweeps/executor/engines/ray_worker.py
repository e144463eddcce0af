"""What an actor of Ray does for its node: it starts the process, and passes messages on."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.cluster.node_process import NodeProcess
from sweeps.executor.engines.agent import Agent, Answer

FETCHED_WITHIN_S = 30.0  # how long the last messages of a process are kept for a sweep that may have ended
ANSWERS_WITHIN_S = 10.0  # so that the sweep hears of an actor that cannot be reached


class NodeKeeper:
    """The process of a node, which starts with it, in the loop of an actor. `command` has the fields of a `NodeCommand`."""

    def __init__(self, command: Mapping[str, Any], name: str, variables: Mapping[str, str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()
        self._process = NodeProcess(NodeCommand(**command), name, variables=variables)
        self.agent = Agent(self._process, self._ring)
        carry = threading.Thread(
            target=self.agent.carry, args=(FETCHED_WITHIN_S,), name="podium-node", daemon=True
        )
        carry.start()

    async def fetch(self, arrived: int) -> Answer:
        """Return what the process has sent after the first `arrived` messages; wait for a while if that is nothing."""
        self._rung.clear()
        answer = self.agent.exchange(arrived, 0, ())
        if answer.messages or answer.ended is not None:
            return answer
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), ANSWERS_WITHIN_S)
        return self.agent.exchange(arrived, 0, ())

    def leave(self) -> None:
        """Have the node stop its jobs gently and end."""
        if self._process.pid is not None and self._process.is_running:
            os.kill(self._process.pid, signal.SIGTERM)

    async def close(self) -> None:
        """End the process by force, and wait until it has gone."""
        await asyncio.to_thread(self.agent.close)

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._rung.set)
