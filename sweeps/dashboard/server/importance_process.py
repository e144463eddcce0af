"""The importance of a sweep's keys, computed in a process of its own: the server never loads libraries for numbers.

`python -m sweeps.dashboard.server.importance_process FOLDER` writes it as JSON.
"""

import asyncio
import contextlib
import os
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

from sweeps.dashboard.server.stores import UnknownPlaceError
from tracking.values.jsontext import decode, encode

TIMEOUT_S = 120.0
MOST_KNOWN = 64
NICENESS = 10
COMMAND = (sys.executable, "-P", "-m", __spec__.name)
ROOT = Path(__file__).resolve().parents[3]


class ImportanceProcess:
    """Answers how much each key of a sweep decides, one sweep at a time; what was answered is kept until the sweep changes."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Path, str], Any] = OrderedDict()
        self._turn: asyncio.Lock | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, folder: Path, stamp: str) -> Any:
        """Return the importance of the keys of the sweep in `folder`, whose state is `stamp`; None if it cannot be told.

        Raise UnknownPlaceError when the process fails or takes too long.
        """
        self._turn = self._turn or asyncio.Lock()  # made in the event loop that it belongs to
        async with self._turn:
            if (folder, stamp) not in self._known:
                self._known[folder, stamp] = await self._computed(folder)
            self._known.move_to_end((folder, stamp))
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
            return self._known[folder, stamp]

    def stop(self) -> None:
        """End the process that computes, if there is one; who waits for it gets an error."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _computed(self, folder: Path) -> Any:
        # The folder in which the server was started may hold packages with the names of ours.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *_path()])}
        self._process = await asyncio.create_subprocess_exec(
            *COMMAND,
            str(folder),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            out, _ = await asyncio.wait_for(self._process.communicate(), TIMEOUT_S)
        except TimeoutError:
            raise UnknownPlaceError("the importance of the keys took too long to compute") from None
        finally:
            self.stop()
            await self._process.wait()
        if self._process.returncode != 0:
            raise UnknownPlaceError("the importance of the keys could not be computed")
        return decode(out)


def _path() -> list[str]:
    return [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]


def main(folder: str) -> None:
    """Write the importance of the keys of a sweep as JSON."""
    from sweeps.dashboard.facts.sweep_facts import sweep_facts

    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    facts = sweep_facts(Path(folder), with_importance=True)
    sys.stdout.buffer.write(encode(facts["importance"]))


if __name__ == "__main__":
    main(sys.argv[1])
