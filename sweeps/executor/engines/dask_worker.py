"""What a Dask worker does for a node: it starts the process, and passes messages on.

`tend` is a task, which keeps a thread of the worker for as long as the node runs: so the cluster knows that the worker is in use. The
other functions are called beside all tasks, in the loop of the worker's events.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

from distributed import get_worker

from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.cluster.node_process import NodeProcess
from sweeps.executor.engines.agent import Agent, Answer

FETCHED_WITHIN_S = 30.0  # how long the last messages of a process are kept for a sweep that may have ended


class _Tended(NamedTuple):
    sweep: str
    agent: Agent


_tended: dict[str, _Tended] = {}  # by the name of the node


def tend(node: str, command: NodeCommand, topic: str) -> None:
    """Run the process of a node until it ends. Tell `topic` when the node has something to fetch, also when it has begun."""
    worker = get_worker()
    logging.getLogger("distributed.worker").addFilter(_is_worth_a_line)
    for other in _of(command.sweep):
        other.close()
    agent = Agent(NodeProcess(command, worker.address), lambda: worker.log_event(topic, node))
    _tended[node] = _Tended(command.sweep, agent)
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
        await asyncio.to_thread(found.agent.close)


async def end_all(sweep: str) -> None:
    """End the processes that an earlier session of a sweep has left here."""
    await asyncio.gather(*(asyncio.to_thread(agent.close) for agent in _of(sweep)))


def _of(sweep: str) -> list[Agent]:
    return [each.agent for each in list(_tended.values()) if each.sweep == sweep]


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether a line belongs into the worker's log: Dask writes one for each call of a function beside the tasks."""
    return not (record.levelno <= logging.INFO and record.args == (exchange.__name__,))
