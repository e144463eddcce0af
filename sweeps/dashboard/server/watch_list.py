"""What an event stream tells of, and from where on: the `watch` of its address, and `last`, the ids of the events it had."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sweeps.dashboard.server.answers import WrongCallError
from tracking.values.jsontext import decode, encode

MOST_RUNS = 200  # that one stream follows
MOST_TEXT = 1 << 18


class Event(NamedTuple):
    """An event of a stream, and where the reader stands after it: the value of one entry of its watch list.

    An event without a name is not sent; where the reader stands then is part of the next one's id.
    """

    name: str
    data: Mapping[str, Any]
    entry: str
    key: str
    place: str | int | None


@dataclass
class WatchList:
    """What a stream tells of a store.

    `runs` and `output` map each run to where its reader stands, None for a reader that has nothing. `table`, `sweeps`,
    `models` and `sweep` are what the page has seen last of what it watches, an empty text for nothing; None: they are not watched.
    """

    store: int = 0
    runs: dict[str, str | None] = field(default_factory=dict)
    output: dict[str, int | None] = field(default_factory=dict)
    table: str | None = None
    sweeps: str | None = None
    models: str | None = None
    sweep: dict[str, str] = field(default_factory=dict)
    _moved: dict[str, Any] = field(default_factory=dict)  # what no event has said yet

    def move(self, event: Event) -> None:
        """Let the reader stand where it does after an event; the name "gone" ends that a run is followed."""
        if event.name == "gone":
            for entry in ("runs", "output"):
                getattr(self, entry).pop(event.key, None)
                self._moved.get(entry, {}).pop(event.key, None)
        elif event.key:
            places = getattr(self, event.entry)
            if event.name or places[event.key] != event.place:
                places[event.key] = event.place
                self._moved.setdefault(event.entry, {})[event.key] = event.place
        else:
            setattr(self, event.entry, event.place)
            self._moved[event.entry] = event.place

    def event_id(self) -> bytes:
        """Return where the reader stands in all that has moved since the last id.

        An event of one of 200 runs names that run alone. Who reads puts the ids together, as `resume` takes them.
        """
        text = encode({name: each for name, each in self._moved.items() if each})
        self._moved = {}
        return text if text.isascii() else _escaped(text)

    def resume(self, ids: str) -> None:
        """Go on where the reader of these ids stands; what they do not name, or the stream does not watch, stays.

        Text of something else changes nothing: an error would keep the browser from coming back.
        """
        try:
            stands = _object(ids, "last")
            known = {name: _mapping(stands, name) for name in ("runs", "output", "sweep")}
        except WrongCallError:
            return
        for name, check in (("runs", _cursor), ("output", _offset), ("sweep", _text)):
            mine = getattr(self, name)
            mine.update({key: check(value) for key, value in known[name].items() if key in mine})
        for name in ("table", "sweeps", "models"):
            if getattr(self, name) is not None and isinstance(stands.get(name), str):
                setattr(self, name, stands[name])


def watch_list(text: str) -> WatchList:
    """Return what a stream is asked to tell of; raise WrongCallError for anything that is no such list."""
    asked = _object(text or "{}", "watch")
    store = asked.get("store", 0)
    if not isinstance(store, int) or isinstance(store, bool):
        raise WrongCallError("watch: store is the number of a store")
    sweep = asked.get("sweep")
    if sweep is not None and not isinstance(sweep, str):
        raise WrongCallError("watch: sweep is the id of a sweep")
    found = WatchList(
        store,
        {run: _cursor(value) for run, value in _mapping(asked, "runs").items()},
        {run: _offset(value) for run, value in _mapping(asked, "output").items()},
        "" if asked.get("table") else None,
        "" if asked.get("sweeps") else None,
        "" if asked.get("models") else None,
        {sweep: ""} if sweep else {},
    )
    if len(found.runs) + len(found.output) > MOST_RUNS:
        raise WrongCallError(f"watch: more than {MOST_RUNS} runs")
    return found


def _object(text: str, name: str) -> Mapping[str, Any]:
    try:
        value = decode(text.encode(errors="replace")) if len(text) <= MOST_TEXT else None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise WrongCallError(f"{name}: not a JSON object")
    return value


def _mapping(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = {} if given.get(name) is None else given[name]
    if not isinstance(value, dict):
        raise WrongCallError(f"watch: {name} is an object with a key per name")
    return value


def _cursor(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _offset(value: Any) -> int | None:
    is_offset = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62
    return value if is_offset else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _escaped(text: bytes) -> bytes:
    """Return JSON in ASCII: a browser sends an id back as a header."""
    import json

    return json.dumps(json.loads(text), separators=(",", ":")).encode()
