"""Which device a run uses: one name in the config, one torch device out."""

import torch

from trainer.errors import ConfigError


def resolve(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `cuda:N` into a device; `auto` takes the first visible GPU, if any.

    Raises ConfigError when the machine does not have what was asked for.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if available else torch.device("cpu")
    if name == "cpu":
        return torch.device("cpu")
    index = int(name.removeprefix("cuda").removeprefix(":") or 0)
    if index >= available:
        raise ConfigError(
            f"device={name}: this process sees {available} CUDA devices; use device=cpu or device=auto"
        )
    return torch.device("cuda", index)
