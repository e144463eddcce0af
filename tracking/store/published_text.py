"""The text of metadata.json, kept as one piece per run, so that one run can be changed without encoding the others.

The pieces are cut from the text as this package writes it; a text of other code is parsed and written anew.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from tracking.errors import CorruptFileError, quoted
from tracking.values import jsontext
from tracking.values.names import natural_key

_OPENING, _BETWEEN, _CLOSING = b"[\n  {", b"\n  },\n  {", b"\n  }\n]\n"
_RUN_ID = re.compile(rb'\n    "run_id": "([^"\\]+)"')

Pieces = dict[str, bytes]  # by run id, in their order


def piece_of(entry: Mapping[str, Any]) -> bytes:
    """What stands between the braces of a run's entry; CorruptFileError for one that no JSON reader would take."""
    try:
        return orjson.dumps(entry, option=orjson.OPT_INDENT_2).replace(b"\n", b"\n  ")[1:-4]
    except orjson.JSONEncodeError as error:
        name = quoted(entry.get("run_id"))
        raise CorruptFileError(f"run {name} cannot be listed: {error}; repair its run.json") from None


def cut(text: bytes, known: Pieces) -> Pieces:
    """The pieces of a metadata.json; those in `known` were checked before. ValueError when it is no list of runs."""
    if text.startswith(_OPENING) and text.endswith(_CLOSING):
        found: Pieces = {}
        for piece in text[len(_OPENING) : -len(_CLOSING)].split(_BETWEEN):
            match = _RUN_ID.match(piece)
            run_id = match[1].decode(errors="replace") if match else ""
            if not run_id or run_id in found or (known.get(run_id) != piece and not _is_entry(piece)):
                break
            found[run_id] = piece
        else:
            return found
    return {
        str(entry["run_id"]): piece_of(entry)
        for entry in entries_in(jsontext.decode(text))
        if "run_id" in entry and entry
    }


def entries_in(value: Any) -> list[dict[str, Any]]:
    """The entries of a decoded metadata.json; ValueError when it is no list of objects."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ValueError("it is no list of runs")
    return value


def joined(pieces: Iterable[bytes]) -> bytes:
    """The whole text, put together in one go: a copy of it would cost as much as the joining."""
    parts = list(pieces)
    if not parts:
        return b"[]\n"
    parts[0] = _OPENING + parts[0]
    parts[-1] += _CLOSING
    return _BETWEEN.join(parts)


def splice(pieces: Pieces, changes: Mapping[str, bytes | None]) -> Pieces:
    """The pieces with some replaced, added at their place, or (None) left out."""
    last = next(reversed(pieces), None)
    is_ordered = True
    for run_id, piece in changes.items():
        if piece is None:
            pieces.pop(run_id, None)
            continue
        if run_id not in pieces:
            is_ordered = is_ordered and (last is None or natural_key(last) < natural_key(run_id))
            last = run_id
        pieces[run_id] = piece
    return pieces if is_ordered else dict(_sorted(pieces))


def _sorted(pieces: Pieces) -> Iterator[tuple[str, bytes]]:
    return iter(sorted(pieces.items(), key=lambda item: natural_key(item[0])))


def _is_entry(piece: bytes) -> bool:
    try:
        return isinstance(orjson.loads(b"{" + piece + b"}"), dict)
    except orjson.JSONDecodeError:
        return False
