"""A small Hydra app, run as its user would: a command in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import forked
import pytest
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from omegaconf.basecontainer import BaseContainer
from quadratic import APP, Sweep


@pytest.fixture(autouse=True, scope="session")
def plugins() -> None:
    """Look for plug-ins before a test has Hydra forget what it did: Hydra 1.4 imports each of them once only."""
    Plugins.instance()


@pytest.fixture(autouse=True)
def _no_packages_of_the_tests_are_loaded_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """An executor in this process would have its forkserver load what the tests have loaded: torch, pandas and more.

    It comes from the process from which commands come, too, which has its libraries.
    """
    monkeypatch.setattr("sweeps.executor.local.server._is_installed", lambda _module: False)
    monkeypatch.setattr("sweeps.executor.local.server_process.subprocess", forked.popen("lenient"))


@pytest.fixture
def hydra_restore_singletons() -> Iterator[None]:
    """Give Hydra back what it knew; its own fixture of this name copies all of that, and looks for plug-ins anew."""
    Plugins.instance()
    known = {kind: (each, {**vars(each)}) for kind, each in Singleton._instances.items()}
    resolvers = {**BaseContainer._resolvers}
    yield
    Singleton._instances = {kind: each for kind, (each, _) in known.items()}
    for each, content in known.values():
        vars(each).clear()
        vars(each).update(content)
    BaseContainer._resolvers = resolvers


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the app in an empty folder with the given arguments."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        return forked.start(
            str(APP),
            *arguments,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(APP.parent)},
        )

    return start


@pytest.fixture
def start_interpreter(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the app as `start` does, in an interpreter that has imported nothing, with a process group for all of it."""

    def start_interpreter(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", str(APP), *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(APP.parent)},
        )

    return start_interpreter


@pytest.fixture
def finish(tmp_path: Path) -> Callable[[subprocess.Popen[str]], Sweep]:
    """Wait for a started app."""

    def finish(process: subprocess.Popen[str]) -> Sweep:
        out, err = process.communicate(timeout=120)
        return Sweep(process.returncode, out, err, tmp_path)

    return finish


@pytest.fixture
def sweep(
    start: Callable[..., subprocess.Popen[str]], finish: Callable[[subprocess.Popen[str]], Sweep]
) -> Callable[..., Sweep]:
    """Run the app with the given arguments to its end."""
    return lambda *arguments: finish(start(*arguments))


@pytest.fixture
def podium(tmp_path: Path) -> Callable[..., Sweep]:
    """Run ``python -m sweeps`` in the folder of the sweeps."""

    def podium(*arguments: str) -> Sweep:
        environment = {**os.environ, "PYTHONPATH": f"{APP.parents[4]}:{APP.parent}"}
        answer = forked.run("-m", "sweeps", *arguments, cwd=tmp_path, timeout=60, env=environment)
        return Sweep(answer.returncode, answer.stdout, answer.stderr, tmp_path)

    return podium


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script, which is written to app.py, with arguments."""

    def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "app.py").write_text(script)
        return forked.run("app.py", *arguments, cwd=tmp_path)

    return run_script
