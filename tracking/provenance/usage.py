"""Samples of what a run uses, taken by a thread: processor, memory, GPU. Off unless asked for.

GPUs are sampled where the package nvidia-ml-py is installed; it is no dependency.
"""

import importlib
import logging
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracking.errors import InvalidValueError, quoted
from tracking.files import append
from tracking.values import timestamps

log = logging.getLogger("tracking")

JOIN_S = 2.0  # a sampler that hangs in a driver must not keep the run from ending


def checked_interval(value: Any) -> float | None:
    """The seconds between two samples, or None for no samples; InvalidValueError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InvalidValueError(
            f"sample_usage_s must be a number of seconds above 0, or None, not {quoted(value)}"
        )
    return float(value)


def sample_usage(path: Path, interval_s: float) -> Callable[[], None]:
    """Append a line to `path` each `interval_s` seconds, and one at the end: when the returned function is called.

    Never raises and never changes the program's end: the thread is a daemon, and an error ends the sampling with a
    line in the log. A forked child does not sample.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_sample, args=(path, interval_s, stop), name="podium-usage", daemon=True)
    thread.start()

    def finish() -> None:
        stop.set()
        if thread.is_alive():
            thread.join(JOIN_S)

    return finish


def _sample(path: Path, interval_s: float, stop: threading.Event) -> None:
    try:
        meter = _Meter()
        is_over = False
        while not is_over:
            is_over = stop.wait(interval_s)
            append.append_line(path, meter.read())
    except Exception as error:  # noqa: BLE001 - drivers and /proc fail in many ways; none is the run's
        log.warning("the use of the machine is not sampled any more: %s", error)


class _Meter:
    """Remembers the processes of the run, since use of a processor is a difference between two looks."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._known = {os.getpid(): psutil.Process()}
        self._gpus = _Gpus()
        self._known[os.getpid()].cpu_percent()
        psutil.cpu_percent()

    def read(self) -> dict[str, Any]:
        """One sample; percents of a processor are of one core, and of the time since the sample before."""
        self._follow_children()
        percents, sizes = [], []
        for process in list(self._known.values()):
            try:
                with process.oneshot():
                    percents.append(process.cpu_percent())
                    sizes.append(process.memory_info().rss)
            except self._psutil.Error:  # it has ended
                self._known.pop(process.pid, None)
        memory = self._psutil.virtual_memory()
        return {
            "timestamp": timestamps.now(),
            "cpu_percent": round(sum(percents), 1),
            "rss_bytes": sum(sizes),
            "processes": len(sizes),
            "system_cpu_percent": self._psutil.cpu_percent(),
            "system_memory_bytes": memory.total - memory.available,
            "gpus": self._gpus.read(),
        }

    def _follow_children(self) -> None:
        root = self._known[os.getpid()]
        for child in root.children(recursive=True):
            if child.pid not in self._known:
                self._known[child.pid] = child


class _Gpus:
    """The GPUs of this machine through NVML; none where it is not installed or does not answer."""

    def __init__(self) -> None:
        self._handles: list[Any] = []
        try:
            nvml = self._nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            self._handles = [
                nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())
            ]
        except Exception as error:  # noqa: BLE001 - absent, or a driver that does not fit: then there is nothing to sample
            log.debug("GPUs are not sampled: %s", error)

    def read(self) -> list[dict[str, int]]:
        """Per GPU how busy it is and how much of its memory is used, by whomever."""
        return [
            {
                "index": index,
                "busy_percent": self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
                "memory_bytes": self._nvml.nvmlDeviceGetMemoryInfo(handle).used,
            }
            for index, handle in enumerate(self._handles)
        ]
