"""Slots: the places for jobs, each with its share of the machine, held by one job at a time."""

import os
import queue
import sys
from dataclasses import dataclass

from sweeps.settings.launcher_settings import LauncherSettings

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Slot:
    """One place: its index, the CPU threads a job may use there, and its GPU if GPUs are shared out."""

    index: int
    threads: int
    gpu: str | None = None


def pool_of(settings: LauncherSettings) -> queue.SimpleQueue[Slot]:
    """Return ``n_jobs`` free slots, spread over the GPUs; a job takes one and puts it back."""
    free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
    gpus = settings.gpus or (None,)
    for index in range(settings.n_jobs):
        free.put(Slot(index, settings.threads, gpus[index % len(gpus)]))
    return free


def limit_threads(slot: Slot) -> None:
    """Limit this process to the slot's share.

    Libraries that are imported later read the environment. torch reads it only at import, which the forkserver has
    done already, so its limit is set directly; torch is never imported for this.
    """
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(slot.threads)))
    if slot.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = slot.gpu
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(slot.threads)
