"""Samples of what a run uses: taken while it is open, gone with it, never in its way."""

import json
import logging
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker
from tracking.provenance import usage


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "usage.jsonl").read_text().splitlines()]


def samplers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "podium-usage"]


def test_a_run_is_sampled_at_its_end_however_short(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x", sample_usage_s=1000) as run:
        (thread,) = samplers()
    assert not thread.is_alive()
    (sample,) = lines(run.run_dir)
    assert set(sample) == {
        "timestamp",
        "cpu_percent",
        "rss_bytes",
        "processes",
        "system_cpu_percent",
        "system_memory_bytes",
        "gpus",
    }
    assert sample["rss_bytes"] > 2**20
    assert sample["processes"] >= 1


def test_samples_are_taken_while_the_run_is_open(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = threading.Semaphore(0)
    append = usage.append.append_line

    def count(path: Path, value: Any) -> None:
        append(path, value)
        taken.release()

    monkeypatch.setattr(usage.append, "append_line", count)
    with tracker.start_run("x", sample_usage_s=0.01) as run:
        for _ in range(3):
            assert taken.acquire(timeout=60)
    assert len(lines(run.run_dir)) >= 4
    assert samplers() == []


def test_nothing_is_sampled_by_default(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        assert samplers() == []
    assert not (run.run_dir / "usage.jsonl").exists()


def test_a_sampler_that_fails_is_logged_and_the_run_continues(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Any) -> None:
        raise RuntimeError("no /proc today")

    monkeypatch.setattr(usage._Meter, "__init__", broken)
    with caplog.at_level(logging.WARNING), tracker.start_run("x", sample_usage_s=0.01) as run:
        run.log({"a": 1})
    assert tracker.record(run.run_id).status == "completed"
    assert "usage is no longer sampled: no /proc today" in caplog.text


class FakeNvml(types.ModuleType):
    """One GPU of the package nvidia-ml-py."""

    def nvmlInit(self) -> None:  # noqa: N802 - its own name
        if self.broken:
            raise RuntimeError("no driver")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - its own name
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802 - its own name
        return index

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802 - its own name
        return types.SimpleNamespace(gpu=73)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802 - its own name
        return types.SimpleNamespace(used=2**30)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [(False, [{"index": 0, "busy_percent": 73, "memory_bytes": 2**30}]), (True, [])],
)
def test_gpus_are_sampled_where_their_library_is_and_works(
    monkeypatch: pytest.MonkeyPatch, broken: bool, expected: list[Any]
) -> None:
    fake = FakeNvml("pynvml")
    fake.broken = broken
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert usage._Gpus().read() == expected


def test_children_count_and_those_that_ended_do_not() -> None:
    meter = usage._Meter()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert meter.read()["processes"] >= 2
        assert child.pid in meter._known
        child.communicate(b"\n")
    meter.read()
    assert child.pid not in meter._known
