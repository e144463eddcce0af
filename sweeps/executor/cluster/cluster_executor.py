"""Runs jobs on the nodes of an engine: starts nodes, serves them until every job has an outcome, and leaves none behind."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path

from sweeps.executor.cluster.dealing import Dealing
from sweeps.executor.cluster.engine import Engine, NodeCommand
from sweeps.executor.cluster.links import Link
from sweeps.executor.cluster.messages import Hello, encode
from sweeps.executor.cluster.node import versions
from sweeps.executor.cluster.node_process import node_code
from sweeps.executor.cluster.served_nodes import Serving
from sweeps.executor.cluster.sharing import Nonce
from sweeps.executor.contract import Judge, Listener
from sweeps.executor.local.executor import Prepared
from sweeps.executor.local.program import Common
from sweeps.executor.local.server_process import OWN
from sweeps.executor.local.shards import Shards
from sweeps.jobs import Job, Outcome
from sweeps.settings.launcher_settings import LauncherSettings

log = logging.getLogger(__name__)

PING_S = 10.0  # a node hears from this process at least so often
LEASE_S = 30.0  # a node that hears nothing for so long stops its jobs
ENDS_WITHIN_S = 20.0  # how long a node without jobs may take to end by itself
LEAVES_AFTER_S = 30.0  # how long a node may take to end once the last of its jobs had to
SAYS_AFTER_S = 30.0  # how long a sweep waits for its first node before that is said
STOP, END = encode("stop"), encode("end")


class ClusterExecutor:
    """An `Executor` on the nodes of an engine, for one call of `run`. It closes the engine.

    `folder` is that of the sweep, which all machines share. Each node runs `places` jobs at once; None leaves that to the
    engine and the node. A node that has heard nothing for `lease_s` stops its jobs; one that was silent for longer than its jobs
    then take to end is closed, and its place gets another one.
    """

    def __init__(
        self,
        engine: Engine,
        settings: LauncherSettings,
        common: Common,
        folder: Path,
        *,
        places: int | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._sweep = common.sweep
        self._prepared = Prepared.of(settings, common, without=engine.packages)
        self._folder = folder.absolute()
        self._places = places
        self._lease_s = lease_s
        self._ping_s = min(PING_S, lease_s / 3)
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._is_stopped = False

    def run(self, jobs: Iterable[Job], listener: Listener, judge: Judge | None = None) -> Iterator[Outcome]:
        """Run `jobs`, as many at once as the nodes have places, and yield outcomes as they end; see `Executor`."""
        dealing = Dealing(Shards(jobs, 1, self._settings.together), listener, judge)
        serving = Serving(dealing, self._engine)
        with ExitStack() as closing:
            nonce = Nonce(self._folder)
            closing.callback(nonce.remove)
            gather = partial(self._gather, dealing, serving, self._greeting(nonce))
            threads = [
                threading.Thread(target=target, name=f"podium-{name}", daemon=True)
                for name, target in (
                    ("pull", dealing.pull),
                    ("orders", lambda: self._obey(dealing, serving)),
                    ("nodes", lambda: dealing.guarded(gather, None)),
                    ("watch", lambda: self._watch(serving)),
                )
            ]
            closing.callback(lambda: self._close(dealing, serving, threads))
            for each in threads:
                each.start()
            yield from dealing.outcomes()
            for link in serving.links:
                link.post(END)
            deadline = time.monotonic() + ENDS_WITHIN_S
            for link in serving.links:
                link.await_end(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Start no more jobs; nodes send SIGTERM to those that run, SIGKILL after a grace period or if called again."""
        self._is_stopped = True
        self._orders.put(True)  # the only thing that may be done in a signal handler, whatever it interrupts

    def _obey(self, dealing: Dealing, serving: Serving) -> None:
        while self._orders.get():
            dealing.stop()
            for link in serving.links:
                link.post(STOP)

    def _gather(self, dealing: Dealing, serving: Serving, greeting: Callable[[int | None], bytes]) -> None:
        """Take the nodes that the engine starts."""
        within_s = self._settings.grace_s + LEAVES_AFTER_S
        command = NodeCommand(str(self._folder), node_code(str(OWN)), leaves_within_s=within_s)
        if self._is_stopped:
            dealing.stop()  # before it is asked why there are no nodes
        for node in () if self._is_stopped else self._engine.nodes(command):
            link = Link(node, serving, ping_s=self._ping_s)
            if self._closed.is_set() or dealing.is_stopped or not serving.join(link):
                node.close(for_good=True)
                continue
            link.begin(greeting(self._places or node.places))
        if not self._closed.is_set():
            serving.may_come = False
            serving.look()

    def _greeting(self, nonce: Nonce) -> Callable[[int | None], bytes]:
        @cache
        def hello(places: int | None) -> bytes:
            body = Hello(self._settings, self._prepared, places)
            known = {"sweep": self._sweep, "lease_s": self._lease_s, "nonce": [str(nonce.path), nonce.text]}
            return encode("hello", body, **known, **versions())

        return hello

    def _watch(self, serving: Serving) -> None:
        """Close nodes that have been silent for too long, and end the sweep or say so when none comes."""
        most_s = 2 * self._lease_s + self._settings.grace_s
        closing, began = set[Link](), time.monotonic()
        awake_since = last = began
        has_said = False
        while not self._closed.wait(self._ping_s):
            now, before, last = time.monotonic(), last, time.monotonic()
            if now - before > 2 * self._ping_s + 1.0:  # this process was paused
                awake_since = now
            for link in serving.links:
                if now - max(link.silent_since, awake_since) > most_s and link not in closing:
                    closing.add(link)
                    why = f"it was silent for {most_s:.0f} s"
                    threading.Thread(target=link.end, args=(why,), name="podium-close", daemon=True).start()
            serving.look(says=False)  # a node that was to come may have come to nothing
            if not has_said and now - began > SAYS_AFTER_S and serving.is_waiting:
                has_said = True
                log.info("waiting for %s to start a node", self._engine.name)

    def _close(self, dealing: Dealing, serving: Serving, threads: list[threading.Thread]) -> None:
        """End all nodes and threads."""
        self._closed.set()
        dealing.close()
        self._orders.put(False)
        ending = [threading.Thread(target=link.close, name="podium-close") for link in serving.links]
        for each in ending:
            each.start()
        for each in ending:
            each.join()
        self._engine.close()
        for each in threads:
            each.join()
        for link in serving.links:  # which the engine started meanwhile
            link.close()
