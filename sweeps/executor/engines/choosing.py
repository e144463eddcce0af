"""The executor of podium's launchers: on this machine, or on the nodes of the engine that the settings name."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.errors import InstantiationException

from sweeps.executor.cluster.engine import Engine
from sweeps.executor.contract import Executor
from sweeps.executor.local.executor import LocalExecutor
from sweeps.executor.local.program import Common
from sweeps.plan.hydra_versions import allowed_targets, build
from sweeps.settings.dask_settings import DaskSettings
from sweeps.settings.launcher_settings import LauncherSettings
from sweeps.settings.ray_settings import RaySettings
from sweeps.stop_signals import handlers_kept

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

    engine = (
        _on_ray(on, settings.grace_s)
        if isinstance(on, RaySettings)
        else _on_dask(on, allowed_targets(common.hydra_context))
    )
    closing.callback(engine.close)
    without = replace(settings, engine=None)  # nodes need not know, and it may name secrets
    if isinstance(on, RaySettings):
        gpus, jobs_per_gpu = on.devices
        without = replace(without, gpus=gpus, jobs_per_gpu=jobs_per_gpu)
    return ClusterExecutor(engine, without, common, folder, places=on.places, lease_s=on.lease_s)


def _on_ray(on: RaySettings, grace_s: float) -> Engine:
    from sweeps.executor.engines.ray import RayEngine

    return RayEngine(on, grace_s)


def _on_dask(on: DaskSettings, allowed: Sequence[str] | None) -> Engine:
    from sweeps.executor.engines.dask import DaskEngine

    if on.cluster is not None:
        _import(on.cluster["_target_"], allowed)
    return DaskEngine(partial(_connected, on, allowed), on.named)


def _import(target: str, allowed: Sequence[str] | None) -> None:
    """Import what has the class of a cluster, in this thread: dask_jobqueue takes SIGINT as it is imported, which only the main one can.

    One that cannot be imported, or that the app lets no config name, is left to the thread that makes the cluster, whose message
    names it.
    """
    with handlers_kept(), contextlib.suppress(InstantiationException):
        build({"_target_": target, "_partial_": True}, allowed)  # which calls nothing


def _connected(settings: DaskSettings, allowed: Sequence[str] | None) -> "Connection":
    from sweeps.executor.engines.dask_cluster import connect  # imports Dask, which takes seconds

    return connect(settings, allowed)
