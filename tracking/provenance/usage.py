"""Samples of the processor, memory and GPU use of a run, taken by a thread if `sample_usage_s` is given.

GPUs are sampled where the package nvidia-ml-py is installed, which is not a dependency.
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

JOIN_S = 2.0  # a thread that hangs in a driver must not keep the run from ending


def checked_interval(value: Any) -> float | None:
    """Return the seconds between two samples, None for no samples; raise InvalidValueError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InvalidValueError(
            f"sample_usage_s must be a number of seconds above 0, or None, not {quoted(value)}"
        )
    return float(value)


def sample_usage(path: Path, interval_s: float) -> Callable[[], None]:
    """Append a line to `path` every `interval_s` seconds, and a last one when the returned function is called.

    Never raises and never delays the end of the program: the thread is a daemon, and an error ends the sampling with
    a line in the log. A forked child does not sample.
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
    except Exception as error:  # noqa: BLE001 - drivers and /proc fail in many ways, and must not stop the run
        log.warning("usage is no longer sampled: %s", error)


class _Meter:
    """The processes of the run; kept between samples, because psutil measures processor use since the last call."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._known = {os.getpid(): psutil.Process()}
        self._gpus = _Gpus()
        self._known[os.getpid()].cpu_percent()
        psutil.cpu_percent()

    def read(self) -> dict[str, Any]:
        """Return one sample; 100 percent is one core, measured since the sample before."""
        for child in self._known[os.getpid()].children(recursive=True):
            self._known.setdefault(child.pid, child)
        percents, sizes = [], []
        for process in list(self._known.values()):
            try:
                with process.oneshot():
                    percents.append(process.cpu_percent())
                    sizes.append(process.memory_info().rss)
            except self._psutil.Error:  # the process has ended
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


class _Gpus:
    """The GPUs that NVML lists; none if it is not installed or fails."""

    def __init__(self) -> None:
        self._handles: list[Any] = []
        try:
            nvml = self._nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            self._handles = [
                nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())
            ]
        except Exception as error:  # noqa: BLE001 - missing, or another version than the driver
            log.debug("GPUs are not sampled: %s", error)

    def read(self) -> list[dict[str, int]]:
        """Return the load and the used memory of each GPU, by all processes."""
        return [
            {
                "index": index,
                "busy_percent": self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
                "memory_bytes": self._nvml.nvmlDeviceGetMemoryInfo(handle).used,
            }
            for index, handle in enumerate(self._handles)
        ]
