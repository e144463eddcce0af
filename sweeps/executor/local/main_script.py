"""The script that a sweep was started as, imported by each job.

multiprocessing would import it before a child runs any code of ours, so that its output and its errors would appear
on the sweep's console. Here the forkserver marks it as imported, and each job imports it once its output goes to its
log. The forkserver itself never imports it: a script may initialise CUDA, which does not survive a fork.
"""

import runpy
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from multiprocessing import spawn
from traceback import walk_tb
from types import ModuleType

from sweeps.errors import SettingsError

NAME, PATH = "init_main_from_name", "init_main_from_path"  # as multiprocessing calls them


class _StandIn(ModuleType):
    """``__main__`` of the forkserver and of its children until they import the script; looks like the script."""

    def __init__(self, script: Mapping[str, str]) -> None:
        super().__init__("__mp_main__")
        self.__file__ = script.get(PATH)
        self.__spec__ = ModuleSpec(script[NAME], None) if NAME in script else None
        self.script = script

    def refusal(self) -> SettingsError:
        return SettingsError(
            f"{self.script.get(PATH) or self.script[NAME]} starts its sweep again when a job imports it; "
            f'call its main function only under: if __name__ == "__main__":'
        )


def describe_main() -> dict[str, str]:
    """Return the name or the path of this process's script; nothing for one that jobs do not import."""
    described = spawn.get_preparation_data("job")
    script = {key: described[key] for key in (NAME, PATH) if key in described}
    # The __main__ of a package runs its command whatever its name is, so multiprocessing does not import it either.
    return {} if script.get(NAME, "").rpartition(".")[2] == "__main__" else script


def defer_main(script: Mapping[str, str]) -> None:
    """Make multiprocessing find `script` imported, in this process and in those forked from it."""
    if script:
        sys.modules["__main__"] = sys.modules["__mp_main__"] = _StandIn(script)


def import_main() -> None:
    """Import the deferred script, if any; raises what it raises, `SettingsError` for one that starts its sweep again."""
    stand_in = sys.modules["__main__"]
    if not isinstance(stand_in, _StandIn):
        return
    try:
        if NAME in stand_in.script:
            content = runpy.run_module(stand_in.script[NAME], run_name="__mp_main__", alter_sys=True)
        else:
            content = runpy.run_path(stand_in.script[PATH], run_name="__mp_main__")
    except (Exception, SystemExit) as error:
        frames = (frame for frame, _ in walk_tb(error.__traceback__))
        if any(frame.f_globals.get("__name__") == "hydra.main" for frame in frames):
            # Hydra may fail before it comes to the sweep: it does not find the configs of a script it did not start.
            raise stand_in.refusal() from error
        raise
    main = ModuleType("__mp_main__")
    main.__dict__.update(content)
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main


def refuse_in_a_job() -> None:
    """Raise `SettingsError` when a script starts a sweep while a job imports it."""
    stand_in = sys.modules["__main__"]
    if isinstance(stand_in, _StandIn):
        raise stand_in.refusal()
