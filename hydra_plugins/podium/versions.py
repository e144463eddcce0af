"""What Hydra 1.3 with OmegaConf 2.3 calls otherwise than Hydra 1.4 with OmegaConf 2.4, and what one of them cannot do.

Each difference is told by what the library has, not by its number, so that a later version needs no change here. Every
Hydra app imports this module, so the functions import what they need. How a job is composed stands in
`sweeps/plan/hydra_versions.py`. `tracking` knows no Hydra: `tracking/values/configs.py` reads the configs of both.
"""

import sys
from collections.abc import Callable
from typing import Any


def current_defaults() -> dict[str, str]:
    """Return the argument ``version_base`` of `hydra.main` and `hydra.initialize`.

    Hydra 1.3 warns without it and behaves as 1.1 did; Hydra 1.4 warns of it.
    """
    import hydra.version

    return {"version_base": "1.3"} if hasattr(hydra.version, "base_at_least") else {}


def register_resolver(name: str, function: Callable[..., Any], *, use_cache: bool = False) -> None:
    """Register a resolver of OmegaConf, in place of an earlier one of this name; with `use_cache` it is asked once."""
    from omegaconf import OmegaConf

    # The name is that of OmegaConf 2.0 too, whose resolvers got text; 2.3 still has that one.
    is_current = "replace" in (OmegaConf.register_resolver.__kwdefaults__ or ())
    register: Any = OmegaConf.register_resolver if is_current else OmegaConf.register_new_resolver
    register(name, function, replace=True, use_cache=use_cache)


def unchecked() -> dict[str, Any]:
    """Return the argument with which `hydra.utils.instantiate` builds whatever a config names.

    Only for a config that the user has chosen: Hydra 1.4 else warns that it was not told what the config may name.
    """
    import hydra.utils

    chosen = getattr(hydra.utils, "UNSAFE_DISABLE_EXECUTION_CHECKS", None)
    return {} if chosen is None else {"_execution_whitelist_": chosen}


def unsupported() -> str | None:
    """Return why the installed Hydra cannot read a command line on this Python; None where it can.

    Python 3.14 checks the help of each option, which in Hydra 1.3 is no text for one of them.
    """
    if sys.version_info < (3, 14):
        return None
    from hydra import __version__
    from hydra._internal.utils import get_args_parser

    try:
        get_args_parser()
    except ValueError:
        python = ".".join(map(str, sys.version_info[:2]))
        return f"Hydra {__version__} does not run on Python {python}; install Hydra 1.4, or use Python 3.13"
    return None
