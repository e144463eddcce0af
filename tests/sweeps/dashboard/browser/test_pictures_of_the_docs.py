"""The command that makes the pictures of the docs, with a small store."""

import struct
import subprocess
import sys
from pathlib import Path

import chromium
import pytest
from filled_stores import fill_store
from served import ROOT

pytestmark = [pytest.mark.slow, chromium.needs_browser]
PICTURES = {"dashboard-runs.png", "dashboard-sweep.png", "report.png"}


def take(kind: str, to: Path, *more: str | Path) -> "subprocess.CompletedProcess[str]":
    words = ("-m", "benchmarks", "pictures", "--only", kind, "--to", to, *more)
    return subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True)


def test_three_pictures_are_made_and_no_page_complains(tmp_path: Path) -> None:
    store = fill_store(tmp_path / "experiments", 12)
    done = take("dashboard", tmp_path / "pictures", "--store", store.path, "--sweep", store.sweep)
    assert (done.returncode, done.stderr) == (0, "")
    made = {path.name: path.read_bytes() for path in (tmp_path / "pictures").iterdir()}
    assert made.keys() == PICTURES
    for name, data in made.items():
        assert data.startswith(b"\x89PNG"), name
        assert struct.unpack(">II", data[16:24]) == (1400, 900), name
        assert 10_000 < len(data) < 150_000, name  # neither blank nor too much for a clone


@pytest.mark.exhaustive  # it trains two sweeps, as the followed guide to promotion does
@pytest.mark.timeout(900)
def test_the_picture_of_the_verdict_is_of_a_promotion_by_the_gate(tmp_path: Path) -> None:
    done = take("verdict", tmp_path / "pictures")
    assert done.returncode == 0, done.stderr
    assert "Champion of ctr_model: v2" in done.stdout
    (made,) = (tmp_path / "pictures").iterdir()
    data = made.read_bytes()
    assert made.name == "verdict.png"
    assert 10_000 < len(data) < 150_000
