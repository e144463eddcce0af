"""Slots: the places jobs run in, each with its share of the machine, never given to two jobs at once."""

import os
import queue
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Slot:
    """One place: its index, the CPU threads a job may use in it, and its GPU if it has one of its own."""

    index: int
    threads: int
    gpu: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that hold a job to its share; libraries read them when they wake up."""
        variables = {name: str(self.threads) for name in THREAD_VARIABLES}
        return variables if self.gpu is None else {**variables, "CUDA_VISIBLE_DEVICES": self.gpu}


class Slots:
    """Hands out `count` slots of `threads` threads each, dealt round the `gpus`; `take` waits for a free one."""

    def __init__(self, count: int, threads: int, gpus: Sequence[str] = ()) -> None:
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for index in range(count):
            self._free.put(Slot(index, threads, gpus[index % len(gpus)] if gpus else None))

    @contextmanager
    def take(self) -> Iterator[Slot]:
        """Hold a slot for the time of a ``with`` block."""
        slot = self._free.get()
        try:
            yield slot
        finally:
            self._free.put(slot)


def limit_threads(slot: Slot) -> None:
    """Hold this process to the slot's share, including a torch that is loaded already.

    Sets the environment for what is loaded later. torch reads it only while it loads, which in a child
    of a warm forkserver is long past, so it is told directly; it is never imported for this.
    """
    os.environ.update(slot.environment)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(slot.threads)
