"""The machine of a run, read from files of the kernel: no library is loaded and no process started."""

import functools
import os
import sys
from pathlib import Path
from typing import Any

CPUINFO_BYTES = 4096  # enough for the first processor; the kernel takes long to write all of 256


@functools.cache
def machine(root: Path = Path("/")) -> dict[str, Any]:
    """Return system, processor, memory and GPUs, read once per process; what is not known is None or empty."""
    system = os.uname() if hasattr(os, "uname") else None
    return {
        "platform": f"{system.sysname} {system.release} {system.machine}" if system else sys.platform,
        "host": system.nodename if system else "",
        "cpu": _cpu_model(root),
        "cpus": os.cpu_count(),
        "cpus_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": _memory(),
        "gpu_driver": _driver(root),
        "gpus": _gpus(root),
    }


def cuda() -> dict[str, Any] | None:
    """Return what torch sees if the program has initialised CUDA; asking earlier would reserve memory on the GPU."""
    torch = sys.modules.get("torch")
    try:
        if torch is None or not torch.cuda.is_initialized():
            return None
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return {"version": torch.version.cuda, "devices": names}
    except Exception:  # noqa: BLE001 - a broken or half imported library must not stop the run
        return None


def _cpu_model(root: Path) -> str | None:
    fields = _fields(_read(root / "proc/cpuinfo", CPUINFO_BYTES))
    return fields.get("model name") or fields.get("Model") or fields.get("cpu model")


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _driver(root: Path) -> str | None:
    versions = {name: _read(root / f"sys/module/{name}/version").strip() for name in ("nvidia", "amdgpu")}
    return next((f"{name} {version}" for name, version in versions.items() if version), None)


def _gpus(root: Path) -> list[dict[str, str]]:
    found = [
        _fields(_read(path)) for path in sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    ]
    return [{"name": fields.get("Model", ""), "uuid": fields.get("GPU UUID", "")} for fields in found]


def _read(path: Path, size: int = -1) -> str:
    """Return the text of a file of the kernel, "" if there is none."""
    try:
        with path.open("rb") as file:
            return file.read(size).decode(errors="replace")
    except OSError:
        return ""


def _fields(text: str) -> dict[str, str]:
    """Return the `name : value` lines of a text by name, of equal names the first."""
    pairs = (line.partition(":") for line in reversed(text.splitlines()))
    return {name.strip(): value.strip() for name, _, value in pairs}
