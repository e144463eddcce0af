"""The executor of podium's launchers: on this machine, or on the nodes of the engine that the settings name."""

import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.executor.contract import Executor
from sweeps.executor.local.executor import LocalExecutor
from sweeps.executor.local.program import Common
from sweeps.settings.dask_settings import DaskSettings
from sweeps.settings.launcher_settings import LauncherSettings

if TYPE_CHECKING:
    from sweeps.executor.engines.dask import Connection


def chosen_executor(
    settings: LauncherSettings, common: Common, folder: Path, closing: contextlib.ExitStack
) -> Executor:
    """Return the executor for a sweep in `folder`; what it has begun ends with `closing`, whether it has run or not.

    The cluster of an engine starts in the background, while the sweep is still planned.
    """
    on = settings.engine
    if on is None:
        return LocalExecutor(settings, common)
    from sweeps.executor.cluster.cluster_executor import ClusterExecutor
    from sweeps.executor.engines.dask import DaskEngine

    engine = DaskEngine(partial(_connected, on), on.named)
    closing.callback(engine.close)
    without = replace(settings, engine=None)  # nodes need not know, and it may name secrets
    return ClusterExecutor(engine, without, common, folder, places=on.places, lease_s=on.lease_s)


def _connected(settings: DaskSettings) -> "Connection":
    from sweeps.executor.engines.dask_cluster import connect  # imports Dask, which takes seconds

    return connect(settings)
