"""What a run prints from now on: its stdout.log from a byte on."""

import os
from typing import NamedTuple

from tracking.browse.run_files import MOST_BYTES, TAIL_BYTES, read_part, whole_text
from tracking.errors import UnreadableFileError
from tracking.files import regular
from tracking.store.store import Store


class TextNews(NamedTuple):
    """What was printed since the last look, up to byte `end`; with `whole` it takes the place of what was shown before."""

    text: str
    end: int
    whole: bool


class FollowedText:
    """Reads what a run prints. `offset` is the `end` of an earlier look; None is the last 64 KiB."""

    def __init__(self, store: Store, run_id: str, offset: int | None = None) -> None:
        entry = store.require(run_id)
        self.run_id = str(entry["run_id"])
        self._path = store.paths.run(self.run_id).output
        self._end = offset if offset is not None and offset >= 0 else None
        self._inode = 0

    def read(self) -> TextNews:
        """Return what is new, at most 1 MiB at once; a look at a file that has not grown costs one call of the system."""
        state = self._state()
        if state is None:
            return TextNews("", self._end or 0, whole=False)
        is_other = self._inode not in (0, state.st_ino)
        self._inode = state.st_ino
        if self._end is None or is_other or state.st_size < self._end:
            part = read_part(self._path, -TAIL_BYTES, TAIL_BYTES)
            self._end = int(part["end"])
            return TextNews(part["text"], self._end, whole=True)
        if state.st_size == self._end:
            return TextNews("", self._end, whole=False)
        with regular.open_file(self._path) as file:
            data = os.pread(file.fileno(), MOST_BYTES, self._end)
        data = whole_text(data, is_last=True)
        self._end += len(data)
        return TextNews(data.decode(errors="replace"), self._end, whole=False)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _state(self) -> os.stat_result | None:
        try:
            with regular.reading(self._path):
                return self._path.lstat()
        except (FileNotFoundError, UnreadableFileError):
            return None
