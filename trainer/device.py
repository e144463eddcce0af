"""The device of a run and its number of CPU threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from trainer.errors import ConfigError


def resolve(name: str) -> torch.device:
    """Return the device that `auto`, `cpu`, `cuda` or `cuda:N` names; `auto` takes the first visible GPU, if any.

    Raise ConfigError when the machine has no such device.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if available else torch.device("cpu")
    if name == "cpu":
        return torch.device("cpu")
    index = int(name.removeprefix("cuda").removeprefix(":") or 0)  # `cuda` is the first GPU
    if index >= available:
        raise ConfigError(
            f"device={name}: this process sees {available} CUDA devices; use device=cpu or device=auto"
        )
    return torch.device("cuda", index)


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Compute on this many CPU threads inside the block; None keeps the current number.

    Several threads sum in another order than one, which changes the last digits. On one thread the numbers
    do not depend on the threads a job has.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
