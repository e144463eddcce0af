"""A project of a user in a git repository, for tests of re-made runs."""

import os
import subprocess
import sys
from pathlib import Path

PLAIN = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b",
}

TRAIN = """
import hashlib, random, sys
from pathlib import Path
from steps import scale
from tracking import ExperimentTracker

rate, seed = float(sys.argv[1]), int(sys.argv[sys.argv.index("--seed") + 1])
data = Path("data/rows.csv").read_bytes()
draw = random.Random(seed)
with ExperimentTracker("experiments").start_run(
    "numbers",
    params={"rate": rate, "seed": seed},
    data={"fingerprint": hashlib.sha256(data).hexdigest()},
    seeds={"seed": seed},
) as run:
    for step in range(3):
        run.log({"loss": scale * rate * draw.random() + len(data)}, step=step)
"""


def git(folder: Path, *arguments: str) -> str:
    """Return what git says."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit(folder: Path) -> None:
    """Commit all that is there."""
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "all")


def run(folder: Path, *words: str) -> None:
    """Run the program of a user, from the folder."""
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a checkout but those of its store and of git."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".git", "experiments", "__pycache__"} & set(path.parts)
    }
