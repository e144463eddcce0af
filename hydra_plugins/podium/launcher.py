"""Hydra's door to ``sweeps.launcher``, for sweepers that hand over jobs batch by batch.

Hydra 1.3 accepts a plug-in class only if it is defined below ``hydra_plugins``, and every Hydra app
imports this module: whatever is heavy is imported inside the methods.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.podium.config import register
from hydra_plugins.podium.errors import PodiumError

register()


class PodiumLauncher(Launcher):
    """Runs each job in a process of its own, several at once."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.task_function: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over; nothing starts before `launch`."""
        self.hydra_context = hydra_context
        self.config = config
        self.task_function = task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run one batch and return its results in the order of `job_overrides`.

        Raise `PodiumError` for settings that cannot work.
        """
        from sweeps.errors import SweepError
        from sweeps.launcher import launch

        assert self.hydra_context is not None  # noqa: S101 - Hydra calls setup first
        assert self.config is not None  # noqa: S101 - likewise
        assert self.task_function is not None  # noqa: S101 - likewise
        context, task, config = self.hydra_context, self.task_function, self.config
        try:
            return launch(context, task, config, job_overrides, initial_job_idx)
        except SweepError as error:
            raise PodiumError.of(error) from error.__cause__
