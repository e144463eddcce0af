"""Messages between the process of a sweep and the process that speaks to Ray for it; each is about one node, or about all."""

import json
import struct
from enum import IntEnum
from typing import Any, NamedTuple

HEAD = struct.Struct(">BI")
FOR_GOOD = b"1"


class Kind(IntEnum):
    """What a message says. The first four go to the process that speaks to Ray."""

    CONNECT = 0  # which Ray to use; JSON
    BEGIN = 1  # which nodes to start; JSON
    SEND = 2  # a message for a node
    CLOSE = 3  # end a node by force; FOR_GOOD if its place is to get no other one
    NODE = 4  # a node has started, or cannot start; JSON
    MESSAGE = 5  # a message of a node
    LOST = 6  # why no message of a node can come any more; text
    CLOSED = 7  # a node was ended
    NOTE = 8  # what to tell the user; text
    REFUSED = 9  # why a place can run no node; text
    STARTING = 10  # how many nodes are to come for which there is room; text


class Told(NamedTuple):
    """A message; `node` is the number of the node that it is about."""

    kind: Kind
    node: int
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def said(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def packed(kind: Kind, node: int = 0, body: bytes | str | dict[str, Any] = b"") -> bytes:
    """Return a message as bytes; a mapping goes as JSON."""
    if isinstance(body, dict):
        body = json.dumps(body)
    return HEAD.pack(kind, node) + (body.encode() if isinstance(body, str) else body)


def unpacked(message: bytes) -> Told:
    """Return the message that `packed` has made bytes of."""
    kind, node = HEAD.unpack_from(message)
    return Told(Kind(kind), node, message[HEAD.size :])
