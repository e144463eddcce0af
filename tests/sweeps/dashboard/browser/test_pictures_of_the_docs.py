"""The command that makes the pictures of the docs, with a small store."""

import struct
import subprocess
import sys
from pathlib import Path

import chromium
import pytest
from filled_stores import FilledStore, fill_store
from served import ROOT

pytestmark = [pytest.mark.slow, chromium.needs_browser]
PICTURES = {"dashboard-runs.png", "dashboard-sweep.png", "report.png"}


def take(store: FilledStore, to: Path) -> "subprocess.CompletedProcess[str]":
    words = (
        "-m",
        "benchmarks",
        "pictures",
        "--only",
        "dashboard",
        "--store",
        store.path,
        "--sweep",
        store.sweep,
        "--to",
        to,
    )
    return subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True)


def test_three_pictures_are_made_and_no_page_complains(tmp_path: Path) -> None:
    done = take(fill_store(tmp_path / "experiments", 12), tmp_path / "pictures")
    assert (done.returncode, done.stderr) == (0, "")
    made = {path.name: path.read_bytes() for path in (tmp_path / "pictures").iterdir()}
    assert made.keys() == PICTURES
    for name, data in made.items():
        assert data.startswith(b"\x89PNG"), name
        assert struct.unpack(">II", data[16:24]) == (1400, 900), name
        assert 10_000 < len(data) < 150_000, name  # neither blank nor too much for a clone
