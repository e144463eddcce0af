"""Hydra's door to ``sweeps.sweeper``.

Hydra 1.3 accepts a plug-in class only if it is defined below ``hydra_plugins``, and every Hydra app
imports this module: whatever is heavy is imported inside the methods.
"""

import os
import sys
from typing import Any

from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.podium.config import register
from hydra_plugins.podium.errors import PodiumError

register()

INTERRUPTED = 130  # what a shell reports for a command ended by Ctrl-C


class PodiumSweeper(Sweeper):
    """Expands a search space, runs the jobs, ranks the runs, promotes the winner."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None
        self.task_function: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over; nothing starts before `sweep`."""
        self.hydra_context = hydra_context
        self.config = config
        self.task_function = task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that `arguments` (the command line's overrides) describe; see `sweeps.sweeper.run`.

        An error ends the process with one message on stderr and an exit code: 1, or 128 plus the number of the
        signal that stopped the sweep. With ``HYDRA_FULL_ERROR=1`` it is raised, as `PodiumError`.
        """
        from sweeps.errors import SweepError
        from sweeps.sweeper import run
        from tracking.cli.toolkit.streams import lasting, open_streams

        assert self.hydra_context is not None  # noqa: S101 - Hydra calls setup first
        assert self.config is not None  # noqa: S101 - likewise
        assert self.task_function is not None  # noqa: S101 - likewise
        open_streams()
        try:
            return run(self.hydra_context, self.task_function, self.config, arguments)
        except SweepError as error:
            if _is_to_be_raised():
                raise PodiumError.of(error) from error.__cause__
            print(error, file=lasting(sys.stderr), flush=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            if _is_to_be_raised():
                raise
            print("interrupted", file=lasting(sys.stderr), flush=True)
            sys.exit(INTERRUPTED)


def _is_to_be_raised() -> bool:
    return os.environ.get("HYDRA_FULL_ERROR") == "1"
