"""Messages between the process of a sweep and a node: a line of JSON, and from the sweep's process alone pickled bytes after it.

A node sends JSON alone. The result of a job, in a sweep of another sweeper than podium's, is a pickle in it as text.
"""

import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome, Reason

if TYPE_CHECKING:  # a node answers before it has imported what runs jobs
    from sweeps.executor.local.executor import Prepared
    from sweeps.settings.launcher_settings import LauncherSettings

Head = dict[str, Any]


class Hello(NamedTuple):
    """What a node is told first: how jobs run, and what they share. `places` is how many run at once, None if the node decides."""

    settings: "LauncherSettings"
    prepared: "Prepared"
    places: int | None


class Work(NamedTuple):
    """A shard on its way to a node; see `sweeps.executor.local.shards`."""

    jobs: tuple[Job, ...]
    at_once: int
    is_open: bool
    attempts: int


def encode(kind: str, body: object = None, **head: Any) -> bytes:
    """Return a message of some kind. A `body` is pickled if it is not bytes; None is none."""
    packed = b"" if body is None else body if isinstance(body, bytes) else pickle.dumps(body)
    # The standard library's JSON, because it keeps NaN and the infinities as they are.
    return json.dumps({"kind": kind, **head}).encode() + b"\n" + packed


def decode(message: bytes) -> tuple[Head, bytes]:
    """Return a message's line and what follows it; raise ValueError for what is no message."""
    line, _, body = message.partition(b"\n")
    head = json.loads(line)
    if not isinstance(head, dict) or not isinstance(head.get("kind"), str):
        raise ValueError(f"no message: {line[:200]!r}")
    return head, body


def unpacked(body: bytes) -> Any:
    """Return what the sweep's process has pickled; only a node calls this."""
    return pickle.loads(body)  # noqa: S301 - from our own parent


def event_as_json(event: Event) -> Head:
    """Return an event as plain data."""
    return {"event": event.kind, "job": event.job, "data": dict(event.data)}


def event_of_json(raw: Mapping[str, Any]) -> Event:
    """Return the event that `event_as_json` wrote; raise ValueError, KeyError or TypeError for anything else."""
    kind, data = EventKind(raw["event"]), dict(raw["data"])
    if kind is EventKind.RETRY:
        data = asdict(outcome_of_json(data))
    return Event(kind, int(raw["job"]), data)


def outcome_of_json(raw: Mapping[str, Any]) -> Outcome:
    """Return the outcome that ``asdict`` took apart; raise ValueError, KeyError or TypeError for anything else."""
    reason = raw["reason"]
    read = {
        "status": JobStatus(raw["status"]),
        "reason": None if reason is None else Reason(reason),
        "runs": tuple(map(str, raw["runs"])),
        "job": int(raw["job"]),
        "wall_s": float(raw["wall_s"]),
    }
    return Outcome(**{**raw, **read})
