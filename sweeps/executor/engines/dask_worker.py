"""What a Dask worker does for a node: it starts the process, and passes messages on.

`tend` is a task, which keeps a thread of the worker for as long as the node runs: so the cluster knows that the worker is in use. The
other functions are called beside all tasks, in the loop of the worker's events.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from dask.typing import Key
from distributed import Worker, WorkerPlugin, get_worker

from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.cluster.node_process import NodeProcess
from sweeps.executor.engines.agent import Agent, Answer
from sweeps.executor.engines.dask_endings import end_after, hold_nanny

FETCHED_WITHIN_S = 30.0  # how long the last messages of a process are kept for a sweep that may have ended
PLUGIN = "podium-nodes"


class _Tended(NamedTuple):
    command: NodeCommand
    process: NodeProcess
    agent: Agent


_tended: dict[str, _Tended] = {}  # by the name of the node
_threads = ThreadPoolExecutor(
    8, "podium-nodes"
)  # not those of the loop, which end before a worker that closes has called


class _Watch(WorkerPlugin):
    """Lets nodes stop their jobs gently when their worker closes in order, and ends those that no sweep wants any more."""

    def transition(self, key: Key, start: str, finish: str, **_kwargs: Any) -> None:
        """End the node of a task that the cluster has dropped: the process of the sweep has gone, or its connection."""
        found = _tended.get(str(key).rpartition("-")[2])
        if (start, finish) == ("executing", "released") and found is not None:
            _threads.submit(found.agent.close)

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's signature
        """Have the nodes leave, and wait until they have."""
        await leave()


def tend(node: str, command: NodeCommand, topic: str) -> None:
    """Run the process of a node until it ends. Tell `topic` when the node has something to fetch, also when it has begun."""
    worker = get_worker()
    logging.getLogger("distributed.worker").addFilter(_is_worth_a_line)
    for other in _of(command.sweep):
        other.close()
    worker.loop.add_callback(_watch, worker)
    process = NodeProcess(command, worker.address)
    agent = Agent(process, lambda: worker.log_event(topic, node))
    _tended[node] = _Tended(command, process, agent)
    try:
        worker.log_event(topic, node)
        agent.carry(FETCHED_WITHIN_S)
    finally:
        del _tended[node]


async def exchange(node: str, arrived: int, first: int, messages: Sequence[bytes]) -> Answer | None:
    """Pass messages on; see `Agent.exchange`. Return None for a node that is not here."""
    found = _tended.get(node)
    return None if found is None else found.agent.exchange(arrived, first, messages)


async def end(node: str) -> None:
    """End the process of a node by force, if it is here."""
    found = _tended.get(node)
    if found is not None:
        await _in_threads([found.agent.close])


async def end_all(sweep: str) -> None:
    """End the processes that an earlier session of a sweep has left here."""
    await _in_threads(agent.close for agent in _of(sweep))


async def leave() -> None:
    """Have the nodes here stop their jobs gently, and wait until they have ended and the sweep has heard of it."""
    every = list(_tended.values())
    for each in every:
        if each.process.pid is not None and each.process.is_running:
            os.kill(each.process.pid, signal.SIGTERM)
    await _in_threads(partial(each.agent.await_end, each.command.leaves_within_s) for each in every)


async def _watch(worker: Worker) -> None:
    """Have a worker tell its nodes when it closes; a second plug-in of the name would end the first one, as if it closed."""
    if PLUGIN not in worker.plugins:
        await worker.plugin_add(plugin=_Watch(), name=PLUGIN)
        end_after(leave)
        await hold_nanny(worker, leave, PLUGIN)


async def _in_threads(calls: Iterable[Callable[[], None]]) -> None:
    """Wait for calls that wait themselves."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(_threads, call) for call in calls))


def _of(sweep: str) -> list[Agent]:
    return [each.agent for each in list(_tended.values()) if each.command.sweep == sweep]


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether a line belongs into the worker's log: Dask writes one for each call of a function beside the tasks."""
    return not (record.levelno <= logging.INFO and record.args == (exchange.__name__,))
