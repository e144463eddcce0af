"""The MLflow of the day in processes of its own interpreter: code beside it, exports to it, its server."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.contestants import QUIET, Module

ROOT = Path(__file__).resolve().parents[2]
MLFLOW = Module.MLFLOW.interpreter
OURS = f"import sys; sys.path[:0] = [{str(ROOT)!r}]; sys.path.append({str(Path(orjson.__file__).parents[1])!r})\n"
COMMAND = f"{OURS}from tracking.cli.app import main\nsys.exit(main(sys.argv[1:]))"
SERVER = "import sys; from mlflow.cli import cli; sys.exit(cli())"
NEEDS_MLFLOW = [
    pytest.mark.peers,
    pytest.mark.skipif(not MLFLOW.exists(), reason="MLflow is not installed here: make test-peers"),
]


def start(code: str, *words: str, **options: Any) -> "subprocess.Popen[str]":
    """Start code in the interpreter of MLflow."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [MLFLOW, "-c", code, *words], **{"env": {**os.environ, **QUIET}, **streams, **options}
    )


def run(code: str, *words: str, **options: Any) -> tuple[int, str, str]:
    """Run code in the interpreter of MLflow; return its exit code, output and errors."""
    process = start(code, *words, **options)
    out, err = process.communicate(timeout=280)
    return process.returncode, out, err


def export(store: Path, to: str, *words: str) -> dict[str, Any]:
    """Export a store; return what the command tells."""
    code, out, err = run(COMMAND, "export", "--store", str(store), "--to", to, "--json", *words)
    assert code == 0, err
    answer: dict[str, Any] = json.loads(out)
    return answer


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Start a server whose database is mlflow.db in a new folder; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    folder.mkdir()
    process = start(
        SERVER,
        *("server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--port", port, "--workers", "1"),
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
