"""How long a place waits for its next node, whose nodes may be lost as soon as they begin."""

import time

AT_ONCE_S = 10.0  # a node that is lost within so long makes the next one wait
MOST_WAIT_S = 32.0


class Backoff:
    """The wait before the next node of a place.

    There is none after a node that lasted. After each further one in turn that was lost at once it is twice as long, up to a
    limit: a machine on which no node can start is not kept busy with that.
    """

    def __init__(self) -> None:
        self._falls = 0  # how many nodes in turn were lost at once
        self._not_before = 0.0

    @property
    def left_s(self) -> float:
        """How long to wait from now on."""
        return max(0.0, self._not_before - time.monotonic())

    def note_loss(self, made_at: float) -> None:
        """Note that a node is lost now which was made at a time of `time.monotonic`."""
        now = time.monotonic()
        self._falls = self._falls + 1 if now - made_at < AT_ONCE_S else 0
        if self._falls:
            self._not_before = max(self._not_before, now + min(MOST_WAIT_S, 2.0**self._falls))
