"""What runs in an actor of Ray for a node: it starts the process, and passes messages on."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import ray

from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.cluster.node_process import NodeProcess
from sweeps.executor.engines.agent import Agent, Answer

FETCHED_WITHIN_S = 30.0  # how long the last messages of a process are kept for a sweep that may have ended
ANSWERS_WITHIN_S = 10.0  # so that the sweep hears of an actor that cannot be reached


class Begun(NamedTuple):
    """Where the process of a node has started."""

    machine: str  # Ray's id of it
    address: str


class NodeActor:
    """An actor that keeps the process of a node. Its methods are called any number of times, and some at once."""

    def __init__(self, command: NodeCommand, variables: Mapping[str, str]) -> None:
        self._command = command
        self._variables = variables
        self._agent: Agent | None = None
        self._process: NodeProcess | None = None
        self._rung = asyncio.Event()

    async def begin(self) -> Begun:
        """Start the process, unless it was; return where."""
        context: Any = ray.get_runtime_context()
        address = ray.util.get_node_ip_address()
        if self._agent is None:
            loop = asyncio.get_running_loop()

            def ring() -> None:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self._rung.set)

            self._process = NodeProcess(self._command, address, variables=self._variables)
            self._agent = Agent(self._process, ring)
            carry = threading.Thread(
                target=self._agent.carry, args=(FETCHED_WITHIN_S,), name="podium-node", daemon=True
            )
            carry.start()
        return Begun(context.get_node_id(), address)

    async def take(self, first: int, messages: Sequence[bytes]) -> int:
        """Take messages to the process, numbered from `first` on; return how many have arrived in all."""
        return self._begun.take(first, messages)

    async def fetch(self, arrived: int) -> Answer:
        """Return what the process has sent after the first `arrived` messages; wait for a while if that is nothing."""
        self._rung.clear()
        answer = self._begun.exchange(arrived, 0, ())
        if answer.messages or answer.ended is not None:
            return answer
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), ANSWERS_WITHIN_S)
        return self._begun.exchange(arrived, 0, ())

    async def close(self) -> None:
        """End the process by force, and wait until it has gone."""
        if self._agent is not None:
            await asyncio.to_thread(self._agent.close)

    @property
    def _begun(self) -> Agent:
        if self._agent is None:
            raise RuntimeError(f"process {os.getpid()} has started no node")
        return self._agent
