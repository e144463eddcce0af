"""The machine of a run, read from files of the kernel: no library is loaded and no process started."""

import functools
import os
import sys
from pathlib import Path
from typing import Any

CPUINFO_BYTES = (
    4096  # enough for the first processor; the kernel takes long to write the text for 256 of them
)


@functools.cache
def machine(root: Path = Path("/")) -> dict[str, Any]:
    """Return processor, memory, GPUs and their driver, once per process; what is not known is None or empty."""
    return {
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
    try:
        with (root / "proc/cpuinfo").open("rb") as file:
            text = file.read(CPUINFO_BYTES).decode(errors="replace")
    except OSError:
        return None
    fields = _fields(text)
    return fields.get("model name") or fields.get("Model") or fields.get("cpu model")


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _driver(root: Path) -> str | None:
    for path in ("sys/module/nvidia/version", "sys/module/amdgpu/version"):
        try:
            return f"{Path(path).parent.name} {(root / path).read_text().strip()}"
        except OSError:
            continue
    return None


def _gpus(root: Path) -> list[dict[str, str]]:
    try:
        files = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
        found = [_fields(file.read_text(errors="replace")) for file in files]
    except OSError:
        return []
    return [{"name": fields.get("Model", ""), "uuid": fields.get("GPU UUID", "")} for fields in found]


def _fields(text: str) -> dict[str, str]:
    """Return the `name : value` lines of a text by name, of equal names the first."""
    pairs = (line.partition(":") for line in text.splitlines())
    found: dict[str, str] = {}
    for name, _, value in pairs:
        found.setdefault(name.strip(), value.strip())
    return found
