"""Errors of a sweep: one message and an exit code, with no stack, and without Hydra where nothing needs it."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode
from quadratic import APP

from hydra_plugins.podium.versions import current_defaults
from sweeps.errors import SweepError
from sweeps.sweeper import run

STORE = Path(__file__).parents[1] / "formats" / "0.1.0" / "quadratic" / "experiments"


@pytest.mark.parametrize("config", ["config", "bare"])
def test_a_refused_setting_is_a_message_without_a_stack(sweep: Callable, config: str) -> None:
    result = sweep("--config-name", config, "-m", "x=1,2", "hydra.launcher.n_jobs=0")
    assert result.code == 1
    assert result.err.startswith("n_jobs=0: allowed are 1, 2, ..., null or -1 for one job per core")
    assert "Traceback" not in result.err


def test_a_failed_job_under_the_stock_sweeper_is_a_message_without_a_stack(sweep: Callable) -> None:
    result = sweep("--config-name", "bare", "-m", "track=true", "fault=raise", "hydra.sweep.dir=out")
    assert result.code == 1
    # Hydra 1.4 has its own way to say what a job raised.
    said = "job 0 failed: ValueError: no such luck" if current_defaults() else "\nValueError: no such luck"
    assert said in result.err
    assert ("Traceback" in result.err) != bool(current_defaults())


def test_full_errors_show_where_a_setting_was_refused(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, str(APP), "-m", "x=1,2", "hydra.launcher.n_jobs=0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "HYDRA_FULL_ERROR": "1"},
    )
    assert answer.returncode == 1
    assert "in launcher_settings" in answer.stderr
    assert answer.stderr.splitlines()[-1].startswith("hydra_plugins.podium.errors.PodiumError: n_jobs=0:")


@pytest.mark.parametrize("command", [["list"], ["show", "grid"], ["leaderboard", "grid"], ["jobs", "grid"]])
def test_reading_a_sweep_loads_neither_hydra_nor_omegaconf(command: list[str]) -> None:
    code = (
        "import sys; from sweeps.cli.app import main\n"
        "code = main(sys.argv[1:]); print(code, *sys.modules, file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *command, "--store", str(STORE)], capture_output=True, text=True
    )
    code, *names = answer.stderr.split()
    assert code == "0"
    assert not {"hydra", "omegaconf", "yaml"} & {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", [None, "/elsewhere/file"])
def test_an_error_of_the_system_names_a_path(monkeypatch: pytest.MonkeyPatch, path: str | None) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr("sweeps.sweeper._run", full)
    with initialize_config_dir(str(APP.parent), **current_defaults()):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", [], RunMode.MULTIRUN)
    with pytest.raises(SweepError) as refused:
        run(HydraContext(loader, Callbacks()), print, config, [])
    where = f": '{path}'" if path else f"; its store is {Path('experiments').absolute()}"
    assert str(refused.value) == f"the sweep cannot go on: [Errno 28] No space left on device{where}"
