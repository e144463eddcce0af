from typing import Any

import hydra
from omegaconf import DictConfig


def instantiate_each(cfg: DictConfig | None) -> list[Any]:
    """Return an object for each section that names one."""
    sections = (cfg or {}).values()
    return [
        hydra.utils.instantiate(each)
        for each in sections
        if isinstance(each, DictConfig) and "_target_" in each
    ]
