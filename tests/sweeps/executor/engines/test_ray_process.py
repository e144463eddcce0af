"""The engine of Ray and the process that speaks to Ray for it, whatever that process does. Here it does what a test says."""

import sys
import threading
from pathlib import Path

import pytest

from sweeps.errors import SweepError
from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.engines import ray
from sweeps.executor.engines.ray import RayEngine
from sweeps.settings.ray_settings import RaySettings

PATIENCE_S = 20.0
HANGING = "import time; time.sleep(600)"
TALKING = "import os, sys; os.write(2, {line!r} * {count}); sys.exit('no Ray here')"


def engine_that_runs(code: str, monkeypatch: pytest.MonkeyPatch) -> RayEngine:
    monkeypatch.setattr(ray, "CODE", code)
    return RayEngine(RaySettings(), 1.0)


def test_an_engine_closes_though_its_process_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "END_WITHIN_S", 0.1)
    engine = engine_that_runs(HANGING, monkeypatch)
    closed = threading.Event()

    def use() -> None:
        for _ in range(3):
            assert engine.tell(b"more than a pipe takes" * 10_000)
        engine.close()
        closed.set()

    threading.Thread(target=use, daemon=True).start()
    assert closed.wait(PATIENCE_S)
    assert not engine.tell(b"too late")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc of Linux alone counts the calls of a process")
def test_what_the_process_writes_is_read_in_large_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_that_runs(TALKING.format(line=b"y" * 99 + b"\n", count=10_000), monkeypatch)
    before = count_of_reads()
    with pytest.raises(SweepError, match="Ray cannot be used: no Ray here"):
        next(engine.nodes(NodeCommand("sweep", ())))
    assert count_of_reads() - before < 100_000  # for a million bytes
    engine.close()


def test_a_line_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_that_runs(TALKING.format(line=b"y", count=1_000_000), monkeypatch)
    with pytest.raises(SweepError, match="Ray cannot be used"):
        next(engine.nodes(NodeCommand("sweep", ())))
    engine.close()
    assert sum(map(len, engine._last)) < 1_000_000


def count_of_reads() -> int:
    """Return how often this process has asked the system to read."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("syscr"))
