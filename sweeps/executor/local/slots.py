"""Slots: the places for jobs, each with its share of the machine, held by one job at a time."""

import os
import queue
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what starts a process early imports this module, and that one imports much
    from sweeps.settings.launcher_settings import LauncherSettings

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Slot:
    """One place: its index, the environment that limits the threads of a job there, and its GPU if these are shared out."""

    index: int
    variables: Mapping[str, str]
    gpu: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a job finds in this place."""
        return {**self.variables, **({} if self.gpu is None else {"CUDA_VISIBLE_DEVICES": self.gpu})}


def pool_of(settings: "LauncherSettings") -> queue.SimpleQueue[Slot]:
    """Return ``n_jobs`` free slots, spread over the GPUs; a job takes one and puts it back."""
    free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
    gpus = settings.gpus or (None,)
    variables = thread_variables(settings.threads, replaces=settings.sets_threads)
    for index in range(settings.n_jobs):
        free.put(Slot(index, variables, gpus[index % len(gpus)]))
    return free


def thread_variables(threads: int, *, replaces: bool) -> dict[str, str]:
    """Return the variables that limit a job to so many threads.

    A limit that the user has set in the environment stays, unless `threads` is the user's too and `replaces` it; that of
    OpenMP holds for the libraries that have none of their own, as it does for them without podium.
    """
    if replaces:
        return dict.fromkeys(THREAD_VARIABLES, str(threads))
    usual = os.environ.get(THREAD_VARIABLES[0], "").partition(",")[0].strip()
    mine = [name for name in THREAD_VARIABLES if name not in os.environ]
    return dict.fromkeys(mine, usual if usual.isdecimal() else str(threads))


def take_place(slot: Slot) -> None:
    """Limit this process to what the slot allows."""
    os.environ.update(slot.environment)
    limit_threads()


def limit_threads() -> None:
    """Limit libraries that are loaded already to the threads that the environment allows.

    They read the environment when they are imported. So nothing is to do until it changes.
    """
    wanted = _wanted()
    if wanted == _applied:
        return
    _applied.update(wanted)
    every = wanted["OMP_NUM_THREADS"]
    torch = sys.modules.get("torch")
    if torch is not None and every is not None:
        torch.set_num_threads(every)
    if "numpy" in sys.modules and find_spec("threadpoolctl") is not None:
        pools: Any = import_module("threadpoolctl")  # comes with scikit-learn
        for library in pools.ThreadpoolController().lib_controllers:
            allowed = wanted.get(f"{library.internal_api.upper()}_NUM_THREADS") or every
            if allowed is not None:
                library.set_num_threads(allowed)


def _wanted() -> dict[str, int | None]:
    """Return the threads that each variable allows; the first number of a list, which has one per nested level."""
    texts = {name: os.environ.get(name, "").partition(",")[0].strip() for name in THREAD_VARIABLES}
    return {name: int(text) if text.isdecimal() and int(text) else None for name, text in texts.items()}


_applied = _wanted()
