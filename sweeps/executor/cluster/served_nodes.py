"""What the process of a sweep answers to each message of a node, and what it does when one comes or goes."""

import heapq
import itertools
import logging
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

from sweeps.errors import SweepError
from sweeps.executor.cluster.dealing import Dealing
from sweeps.executor.cluster.engine import Engine
from sweeps.executor.cluster.links import Link
from sweeps.executor.cluster.messages import Head, encode, event_of_json, outcome_of_json
from sweeps.executor.local.supplies import Supplies, deliver
from sweeps.jobs import EventKind
from tracking.values.units import counted

log = logging.getLogger(__name__)

MOST_FAILED_STARTS = 3  # of nodes in one place, before it is given up


class Serving:
    """Serves the nodes of an engine. Its methods are called in the threads of the links.

    `engine` is what starts them.
    """

    def __init__(self, dealing: Dealing, engine: Engine) -> None:
        self._dealing = dealing
        self._engine = engine
        self._lock = threading.Lock()
        self._links: list[Link] = []
        self._failed_starts: Counter[str] = Counter()
        self._was_ready = False
        self._given_up = ""  # which place gets no more nodes, and why; the last one
        self._numbers = itertools.count()
        self._free: list[int] = []  # numbers of places that a lost node had
        self.may_come = True  # whether the engine may start further nodes

    @property
    def links(self) -> list[Link]:
        """The nodes that start or run."""
        with self._lock:
            return [*self._links]

    @property
    def is_waiting(self) -> bool:
        """Whether no node runs jobs."""
        return not any(link.is_ready for link in self.links)

    def join(self, link: Link) -> bool:
        """Note that a node has started; return False for one in a place that was given up."""
        with self._lock:
            if self._failed_starts[link.name] >= MOST_FAILED_STARTS:
                return False
            self._links.append(link)
            return True

    def heard(self, link: Link, head: Head) -> None:
        """Do what a message asks for."""
        match head["kind"]:
            case "ready":
                self._begin(link, int(head["places"]), str(head["host"]))
            case "refused":
                link.refusal = str(head["error"])
                link.node.close(for_good=True)
            case "next":
                self._dealing.ask(link, int(head["ask"]), int(head["shard"]))
            case "another":
                job = self._dealing.another(link, int(head["shard"]), int(head["taken"]))
                kind = "none" if job is None else "job"
                link.post(encode(kind, job, ask=head["ask"]))
            case "ended":
                self._dealing.shard_ended(link, int(head["shard"]))
            case "event":
                self._pass_on(link, head)
            case "judge":
                counts = [(int(job), int(level), Path(run)) for job, level, run in head["counts"]]
                link.post(encode("judged", ask=head["ask"], goes_on=self._dealing.judge(link, counts)))
            case "lacks":
                link.post(encode("supplied", deliver(Supplies.of_message(head)), ask=head["ask"]))
            case "outcome":
                told = {name: value for name, value in head.items() if name != "kind"}
                self._dealing.end(link, link.name, outcome_of_json(told))
            case "leaving":
                link.is_leaving = True
                log.info("node %s leaves: %s", link.name, head["why"])
                self._dealing.leave(link)

    def lost(self, link: Link, error: str) -> None:
        """Put back what a node had."""
        with self._lock:
            self._links.remove(link)
            for slot in link.slots:
                heapq.heappush(self._free, slot)
        count = self._dealing.lose(link, link.name, self._places())
        if link.refusal is not None:  # by itself or by its engine, whose process may still run
            link.node.close(for_good=True)
        if self._dealing.is_over:
            return
        if link.refusal is not None:
            log.warning("node %s cannot run the jobs: %s", link.name, link.refusal)
        elif not link.is_leaving or count:
            jobs = f"; put back: {counted(count, 'job')}" if count else ""
            log.warning("node %s was lost: %s%s", link.name, error, jobs)
        with self._lock:
            self._failed_starts[link.name] += not link.is_ready
            is_bad = self._failed_starts[link.name] >= MOST_FAILED_STARTS
        if is_bad:
            link.node.close(for_good=True)
        if link.refusal is not None or is_bad:
            self._given_up = f"{link.name}: {link.refusal or error}"
        self.look()

    def look(self, *, says: bool = True) -> None:
        """End the sweep if no node runs its jobs and none will. If `says`, say that the sweep waits when it has no node."""
        if self.links or self._dealing.is_over or self._dealing.is_stopped:
            return
        name, is_starting = self._engine.name, self._engine.is_starting
        if not self.may_come:
            self._dealing.fail(SweepError(f"{name} has no node left, and jobs are left to run"))
        elif self._was_ready or not (self._given_up or is_starting):
            if says:
                log.warning("%s has no node left; the sweep waits for another one", name)
        elif self._given_up and not is_starting and not self.links:  # one may have come meanwhile
            self._dealing.fail(SweepError(f"no node of {name} can run the jobs; {self._given_up}"))

    def _begin(self, link: Link, places: int, host: str) -> None:
        with self._lock:
            for _ in range(places):
                link.slots.append(heapq.heappop(self._free) if self._free else next(self._numbers))
            link.places, link.is_ready, self._was_ready = places, True, True
            self._failed_starts.pop(link.name, None)
        log.info("node %s on %s runs %s at once", link.name, host, counted(places, "job"))
        self._dealing.join(link, self._places())

    def _pass_on(self, link: Link, head: Head) -> None:
        event = event_of_json(head)
        if event.kind is EventKind.STARTED:
            slot = event.data.get("slot")
            where = {"slot": link.slots[slot] if isinstance(slot, int) else None, "node": link.name}
            event = replace(event, data={**event.data, **where, "places": self._places()})
        self._dealing.hear(link, event)

    def _places(self) -> int:
        """Return how many jobs the nodes run at once, those included that are about to."""
        return sum(link.places for link in self.links if not link.is_leaving)
