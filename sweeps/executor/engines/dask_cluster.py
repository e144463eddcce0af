"""The Dask cluster of a sweep: one that runs at an address, one that a class starts, or one on this machine."""

import contextlib
import logging
import signal
import threading
from collections.abc import Sequence
from multiprocessing import resource_tracker
from typing import Any

from distributed import Client, LocalCluster

from sweeps.executor.engines.dask import Connection
from sweeps.executor.failure_text import summary
from sweeps.plan.hydra_versions import build
from sweeps.settings.dask_settings import DaskSettings
from tracking.values.units import counted

log = logging.getLogger(__name__)

TALKING = ("distributed", "asyncssh")  # loggers that tell of each connection

SCALE_EVERY_S = 10.0  # how often a cluster is asked for the workers that it has lost
NO_PORT = "127.0.0.1:0"  # of the page of a cluster on this machine: any that is free


def connect(settings: DaskSettings, allowed: Sequence[str] | None = None) -> Connection:
    """Return a client of the cluster that the settings name, which is started if need be; raise what Dask raises.

    `allowed` are the targets that the app lets configs name, if it has a list of them.

    Call it in a thread of its own: it changes which signals the thread takes.
    """
    _leave_interrupts_to_the_sweep()
    for each in map(logging.getLogger, TALKING):
        if not each.isEnabledFor(logging.DEBUG):
            each.setLevel(logging.WARNING)  # or the sweep's own lines drown
    if settings.address is not None:
        client = _ClosedClient(settings.address)
        return Connection(client, client.close)
    cluster = started(settings, allowed)
    with contextlib.ExitStack() as opened:  # which closes the cluster whatever the client raises
        opened.callback(cluster.close)
        if settings.scale is not None:
            cluster.scale(settings.scale)
        client = _ClosedClient(cluster)
        opened.callback(client.close)
        ending = threading.Event()
        keeping = threading.Thread(target=_keep_scaled, args=(cluster, settings.scale, ending), daemon=True)
        keeping.start()
        opened.callback(keeping.join, SCALE_EVERY_S)
        opened.callback(ending.set)
        return Connection(client, opened.pop_all().close)


def _keep_scaled(cluster: Any, workers: int | None, ending: threading.Event) -> None:
    """Replace workers that end: a cluster starts none by itself when the time of a batch job is over.

    What the cluster raises is said once, and may pass.
    """
    said = ""
    while workers is not None and not ending.wait(SCALE_EVERY_S):
        try:
            cluster.scale(workers)
        except Exception as error:  # noqa: BLE001 - the class of the cluster may be anybody's
            if (why := summary(error)) != said:
                log.warning("the cluster cannot be kept at %s now: %s", counted(workers, "worker"), why)
            said = why


def _leave_interrupts_to_the_sweep() -> None:
    """Let what this thread starts never see Ctrl-C, which a terminal sends to all processes: workers would end with their jobs."""
    resource_tracker.ensure_running()  # it starts with the first process, and would let the signal through again
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def started(settings: DaskSettings, allowed: Sequence[str] | None = None) -> Any:
    """Start the cluster that the settings describe, without an address; its class gets plain lists and dicts."""
    if settings.cluster is None:
        return LocalCluster(n_workers=1, threads_per_worker=settings.places, dashboard_address=NO_PORT)
    return build(settings.cluster, allowed)


class _ClosedClient(Client):
    """A client that is closed where it cannot be made.

    A half-made one is closed by Python, when the program ends and its loop has gone; Dask then waits for ever.
    """

    def __init__(self, cluster: Any) -> None:
        untyped: Any = super()
        with contextlib.ExitStack() as failed:
            failed.callback(untyped.close)
            # Not as the default: the code of the user's may have a client of its own.
            untyped.__init__(cluster, set_as_default=False)
            failed.pop_all()
