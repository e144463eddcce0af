"""Hydra's entry to ``sweeps.launcher``, for sweepers that hand over jobs batch by batch.

Hydra 1.3 accepts a plug-in class only if it is defined below ``hydra_plugins``. Every Hydra app imports this module, so
the methods import what is heavy.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.podium.config import register
from hydra_plugins.podium.errors import PodiumError
from hydra_plugins.podium.packages import refusal

register()


class PodiumLauncher(Launcher):
    """Runs each job in its own process, several at once. Reads its settings from the config that `setup` gets."""

    _given: tuple[HydraContext, TaskFunction, DictConfig]

    def __init__(self, **settings: Any) -> None:
        pass

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep the arguments for `launch`."""
        self._given = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run one batch and return its results in the order of `job_overrides`.

        Raise `PodiumError` for settings that cannot work, and where a module of the user's hides one of podium's.
        """
        message = refusal("sweeps", "tracking")
        if message is not None:
            raise PodiumError(message)
        from sweeps.errors import SweepError
        from sweeps.launcher import launch
        from tracking.cli.toolkit.streams import open_streams

        open_streams()
        try:
            return launch(*self._given, job_overrides, initial_job_idx)
        except SweepError as error:
            raise PodiumError.of(error) from error.__cause__


class PodiumDaskLauncher(PodiumLauncher):
    """Runs each job in its own process on a worker of a Dask cluster."""


class PodiumRayLauncher(PodiumLauncher):
    """Runs each job in its own process on a machine of a Ray cluster."""
