"""Hydra's entry to ``sweeps.sweeper``.

Hydra 1.3 accepts a plug-in class only if it is defined below ``hydra_plugins``. Every Hydra app imports this module, so
the methods import what is heavy.
"""

import os
import sys
import warnings
from types import FrameType
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.podium.config import register
from hydra_plugins.podium.errors import PodiumError
from hydra_plugins.podium.packages import refusal

register()

HYDRA_MAIN = "run_and_report"  # the function of Hydra that ends a process by what its task raises
INTERRUPTED = 130  # the exit status that a shell reports after Ctrl-C


class PodiumSweeper(Sweeper):
    """Expands a search space, runs the jobs, ranks the runs, promotes the winner.

    Reads its settings from the config that `setup` gets.
    """

    _given: tuple[HydraContext, TaskFunction, DictConfig]

    def __init__(self, **settings: Any) -> None:
        pass

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep the arguments for `sweep`."""
        self._given = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that `arguments`, the overrides of the command line, describe; see `sweeps.sweeper.run`.

        An error ends the process with one message on stderr and an exit code: 1, or 128 plus the number of the
        signal that stopped the sweep. With ``HYDRA_FULL_ERROR=1`` it is raised, as `PodiumError`. So it is where Python
        started the sweep, as a cell of a notebook does; there, failed jobs are a warning, and Ctrl-C is KeyboardInterrupt.
        """
        message = refusal("sweeps", "tracking")
        if message is not None:
            if _is_to_be_raised():
                raise PodiumError(message)
            sys.exit(message)
        from sweeps.errors import JobsFailedError, SweepError
        from sweeps.sweeper import run
        from tracking.cli.toolkit.streams import lasting, open_streams

        open_streams()
        try:
            return run(*self._given, arguments)
        except SweepError as error:
            plain = PodiumError.of(error)
            if not _is_on_command_line():
                if isinstance(error, JobsFailedError):
                    warnings.warn(str(plain), stacklevel=2)
                    return error.leaderboard
                if plain.exit_code == INTERRUPTED:
                    raise KeyboardInterrupt(str(plain)) from None
            if _is_to_be_raised():
                raise plain from error.__cause__
            print(plain, file=lasting(sys.stderr), flush=True)
            sys.exit(plain.exit_code)
        except KeyboardInterrupt:
            if _is_to_be_raised():
                raise
            print("interrupted", file=lasting(sys.stderr), flush=True)
            sys.exit(INTERRUPTED)


def _is_to_be_raised() -> bool:
    return os.environ.get("HYDRA_FULL_ERROR") == "1" or not _is_on_command_line()


def _is_on_command_line() -> bool:
    """Return whether `hydra.main` runs the sweep, which ends the process, and not a call from Python."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_name != HYDRA_MAIN:
        frame = frame.f_back
    return frame is not None
