"""The GPUs that a sweep shares among its jobs, by their names in ``CUDA_VISIBLE_DEVICES``."""

import os
import re
from typing import Any

from sweeps.errors import SettingsError

# A number, or NVIDIA's name of a device or a part of one: GPU-8932f937-..., MIG-GPU-8932f937-.../1/2
DEVICE = re.compile(r"\d+|(GPU|MIG)-[\w/-]+")


def gpu_names(raw: Any, jobs_per_gpu: int, *, are_here: bool = True) -> tuple[str, ...]:
    """Return the devices of ``gpus``; numbers count the devices that this process sees, from 0.

    Raise `SettingsError` for a value that is no device, a duplicate, and a device that is hidden from this process. Devices that
    are not `are_here` but on the nodes of a cluster come back as they were given, for each node to look up its own.
    """
    if raw is None:
        if jobs_per_gpu != 1:
            raise SettingsError(
                f"jobs_per_gpu={jobs_per_gpu}: needs gpus, which is null; allowed is 1, or gpus=[0,1]"
            )
        return ()
    names = tuple(str(each) for each in raw) if isinstance(raw, list) else ()
    if not names or len(set(names)) != len(names) or not all(map(DEVICE.fullmatch, names)):
        raise SettingsError(
            f"gpus={raw}: allowed are different devices, numbers from 0 on or names such as GPU-8932f937, in a list: "
            "[0,1]; or null"
        )
    return tuple(_visible(name) for name in names) if are_here else names


def _visible(name: str) -> str:
    """Return the name of a device among all devices of the machine."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    # A job gets a CUDA_VISIBLE_DEVICES of its own, whose numbers count from the first device of the machine.
    if chosen is None or not name.isdecimal():
        return name
    seen = [each.strip() for each in chosen.split(",") if each.strip() not in {"", "-1"}]
    if int(name) >= len(seen):
        allowed = f"0 to {len(seen) - 1}, which count them" if seen else "none"
        raise SettingsError(
            f"gpus: {name} is none of the {len(seen)} devices in CUDA_VISIBLE_DEVICES={chosen}; allowed: {allowed}"
        )
    return seen[int(name)]
