"""Slots: the places for jobs, each with its share of the machine, held by one job at a time."""

import os
import queue
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Slot:
    """One place: its index, the CPU threads a job may use there, and its GPU if GPUs are shared out."""

    index: int
    threads: int
    gpu: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that limit a job to its share; libraries read them when they are imported."""
        variables = {name: str(self.threads) for name in THREAD_VARIABLES}
        return variables if self.gpu is None else {**variables, "CUDA_VISIBLE_DEVICES": self.gpu}


class Slots:
    """A pool of `count` slots of `threads` threads each, spread over the `gpus`."""

    def __init__(self, count: int, threads: int, gpus: Sequence[str] = ()) -> None:
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for index in range(count):
            self._free.put(Slot(index, threads, gpus[index % len(gpus)] if gpus else None))

    @contextmanager
    def take(self) -> Iterator[Slot]:
        """Wait for a free slot and hold it during the block."""
        slot = self._free.get()
        try:
            yield slot
        finally:
            self._free.put(slot)


def limit_threads(slot: Slot) -> None:
    """Limit this process to the slot's share.

    Libraries that are imported later read the environment. torch reads it only at import, which the forkserver has
    done already, so its limit is set directly; torch is never imported for this.
    """
    os.environ.update(slot.environment)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(slot.threads)
