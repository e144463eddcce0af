"""The importance of settings, computed in a process of its own: the server never loads libraries for numbers.

`python -m sweeps.dashboard.server.importance_process FOLDER` writes that of the keys of a sweep as JSON; with `-` as the
folder it reads settings and results of runs as JSON instead.
"""

import asyncio
import contextlib
import hashlib
import math
import os
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweeps.dashboard.server.stores import UnknownPlaceError
from tracking.repeats import key_of
from tracking.values.jsontext import decode, encode

TIMEOUT_S = 120.0
MOST_KNOWN = 64
NICENESS = 10
COMMAND = (sys.executable, "-P", "-m", __spec__.name)
MOST_KINDS = (
    50  # values of a setting that are no numbers; a name that each run has for itself decides nothing
)
RUNS = "-"
ROOT = Path(__file__).resolve().parents[3]


class ImportanceProcess:
    """Answers how much settings decide, one question at a time; what was answered is kept until a sweep or its runs change."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._turn: asyncio.Lock | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, folder: Path, stamp: str) -> Any:
        """Return the importance of the keys of the sweep in `folder`, whose state is `stamp`; None if it cannot be told.

        Raise UnknownPlaceError when the process fails or takes too long.
        """
        return await self._ask(str(folder), stamp)

    async def ask_of_runs(self, settings: Mapping[str, Sequence[Any]], results: Sequence[Any]) -> Any:
        """Return the importance of settings of runs, a column each, for their results; raise as `ask` does.

        Runs whose result is no finite number are left out, and so is a setting with too many values that are no numbers.
        """
        table = encode({"settings": settings, "results": results})
        return await self._ask(RUNS, hashlib.sha256(table).hexdigest(), table)

    async def _ask(self, folder: str, stamp: str, table: bytes | None = None) -> Any:
        self._turn = self._turn or asyncio.Lock()  # made in the event loop that it belongs to
        async with self._turn:
            if (folder, stamp) not in self._known:
                self._known[folder, stamp] = await self._computed(folder, table)
            self._known.move_to_end((folder, stamp))
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
            return self._known[folder, stamp]

    def stop(self) -> None:
        """End the process that computes, if there is one; who waits for it gets an error."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _computed(self, folder: str, table: bytes | None) -> Any:
        # The folder in which the server was started may hold packages with the names of ours.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *_path()])}
        self._process = await asyncio.create_subprocess_exec(
            *COMMAND,
            folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL if table is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            out, _ = await asyncio.wait_for(self._process.communicate(table), TIMEOUT_S)
        except TimeoutError:
            raise UnknownPlaceError("the importance of the settings took too long to compute") from None
        finally:
            self.stop()
            await self._process.wait()
        if self._process.returncode != 0:
            raise UnknownPlaceError("the importance of the settings could not be computed")
        return decode(out)


def _path() -> list[str]:
    return [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]


def of_runs(settings: Mapping[str, Sequence[Any]], results: Sequence[Any]) -> dict[str, Any]:
    """Return the importance of settings of runs, a column each, for the results that are finite numbers."""
    from sweeps.ranking.importance import importance

    known = [
        place
        for place, result in enumerate(results)
        if isinstance(result, int | float) and not isinstance(result, bool) and math.isfinite(result)
    ]
    columns = {key: [values[place] for place in known] for key, values in settings.items()}
    keys = [key for key, values in columns.items() if _is_setting(values)]
    points = [{key: columns[key][place] for key in keys} for place in range(len(known))]
    return asdict(importance(points, [float(results[place]) for place in known], keys, noun="runs"))


def _is_setting(values: Sequence[Any]) -> bool:
    kinds = {
        key_of(value) for value in values if isinstance(value, bool) or not isinstance(value, int | float)
    }
    return len(kinds) <= MOST_KINDS


def main(folder: str) -> None:
    """Write the importance of the keys of a sweep, or of settings of runs, as JSON."""
    from sweeps.dashboard.facts.sweep_facts import sweep_facts

    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    if folder == RUNS:
        found = of_runs(**decode(sys.stdin.buffer.read()))
    else:
        found = sweep_facts(Path(folder), with_importance=True)["importance"]
    sys.stdout.buffer.write(encode(found))


if __name__ == "__main__":
    main(sys.argv[1])
