"""The actor of a node. Ray carries its class as a value, so a machine that lacks podium can say so, instead of failing to start it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.executor.engines.agent import Answer
    from sweeps.executor.engines.ray_worker import NodeKeeper


class NodeActor:
    """An actor that keeps the process of a node. Its methods are called any number of times, and some at once."""

    def __init__(self, command: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        self._command = command
        self._variables = variables
        self._keeper: NodeKeeper | None = None

    async def begin(self) -> tuple[str, str, str | None]:
        """Start the process, unless it was; return Ray's id of the machine, its address, and why it can run no node, if it cannot."""
        import ray

        machine, address = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
        if self._keeper is None:
            try:
                from sweeps.executor.engines.ray_worker import NodeKeeper
            except ImportError as error:
                return machine, address, f"its Python cannot import podium: {type(error).__name__}: {error}"
            self._keeper = NodeKeeper(self._command, address, self._variables)
        return machine, address, None

    async def take(self, first: int, messages: Sequence[bytes]) -> int:
        """Take messages to the process, numbered from `first` on; return how many have arrived in all."""
        return self._begun.agent.take(first, messages)

    async def fetch(self, arrived: int) -> "Answer":
        """Return what the process has sent after the first `arrived` messages; wait for a while if that is nothing."""
        return await self._begun.fetch(arrived)

    async def leave(self) -> None:
        """Have the node stop its jobs gently and end, as its machine is taken back."""
        if self._keeper is not None:
            self._keeper.leave()

    async def close(self) -> None:
        """End the process by force, and wait until it has gone."""
        if self._keeper is not None:
            await self._keeper.close()

    @property
    def _begun(self) -> "NodeKeeper":
        if self._keeper is None:
            raise RuntimeError("this actor has started no node")
        return self._keeper
