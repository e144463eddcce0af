"""What Hydra 1.3 with OmegaConf 2.3 calls otherwise than Hydra 1.4 with OmegaConf 2.4, and what one of them cannot do.

Each difference is told by what the library has, not by its number, so that a later version needs no change here. Every
Hydra app imports this module, so the functions import what they need. How a job is composed stands in
`sweeps/plan/hydra_versions.py`. `tracking` knows no Hydra: `tracking/values/configs.py` reads the configs of both.
"""

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def without_a_list() -> Iterator[None]:
    """Let `hydra.utils.instantiate` build what a config names in the block, without a list of what that may be.

    Hydra refuses what runs whatever it is given (``os.system``, ``eval``) on both versions; 1.4 warns that it has no list
    besides, which 1.5 is to refuse. A list that the app gave to `hydra.main` holds.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"hydra\.utils\.instantiate\(\) resolved")
        yield


def call_main(main: Callable[[], Any]) -> None:
    """Call what `hydra.main` has returned; a choice of a group, such as a recipe, may set ``hydra.mode`` to MULTIRUN.

    Hydra 1.4 heeds the primary config and the command line alone, and refuses another mode once all is composed, before
    it writes or runs anything. Then the command line gets the word.
    """
    from hydra.errors import ConfigCompositionException

    try:
        main()
        return
    except ConfigCompositionException as error:
        chosen = ("-m", "--multirun", "hydra.mode=")
        if "hydra.mode changed" not in str(error) or any(word.startswith(chosen) for word in sys.argv[1:]):
            raise
    sys.argv.append("hydra.mode=MULTIRUN")
    main()


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
