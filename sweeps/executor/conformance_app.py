"""The app whose jobs the executor contract is tested with; see `sweeps.executor.conformance`."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from sweeps.executor.local.program import Common
from sweeps.jobs import Job
from sweeps.paths import JOB_FOLDERS
from sweeps.plan.compose import Composer
from tracking import ExperimentTracker
from tracking.process.turns import together

PATIENCE_S = 60.0
EPOCHS = 6  # of a job that is judged


def task(config: DictConfig) -> object:
    """Run one job of the suite: do what its config says and return its value."""
    folder, does = Path(config.folder), config.does
    if does == "raise":
        raise ValueError("no such luck")
    if does == "sys.exit":
        sys.exit(3)
    if does == "os._exit":
        os._exit(4)
    if does == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "compute together":
        return together(lambda values: [2 * value for value in values], config.value)
    if does == "return a lock":
        return threading.Lock()
    if does == "track":
        ExperimentTracker(folder / "experiments").start_run("conformance").finish()
    if does == "track in a process":
        code = (
            "import sys; from tracking import ExperimentTracker as T; T(sys.argv[1]).start_run('x').finish()"
        )
        command = [sys.executable, "-c", code, str(folder / "elsewhere")]
        subprocess.run(command, check=True)  # noqa: S603 - our own code
    if does in {"ask", "ask for ever", "only log"}:
        return _log(config)
    if does == "warn":
        logging.getLogger("conformance").warning("step %d is slow", config.value)
        logging.getLogger("conformance").warning("step 7 is slow")
    if does == "end second":
        await_file(folder / "ended-1")
        time.sleep(0.5)  # the outcome of the first is on its way
    if does in {"wait", "ignore signals"}:
        if does == "ignore signals":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (folder / "waiting").touch()
        time.sleep(PATIENCE_S)
    (folder / f"ended-{config.value}").touch()
    return config.value


def _log(config: DictConfig) -> float:
    """Log values of the objective, the job's number and a tenth of the epoch: some for ever, and some without asking to stop."""
    store = ExperimentTracker(Path(config.folder) / "experiments")
    with store.start_run("conformance") as run:
        done = run.artifacts_dir / "done"
        first = int(done.read_text()) if done.exists() else 0
        last = EPOCHS if config.does == "ask" else sys.maxsize
        for epoch in range(first + 1, last + 1):
            run.log({"score": config.value + epoch / 10}, step=epoch)
            done.write_text(str(epoch))
            if config.does != "only log" and run.should_stop():
                break
            if config.does == "only log":
                time.sleep(0.02)
    return float(config.value)


@dataclass(frozen=True)
class App:
    """A Hydra app with `task`: what executors are made from, and its jobs. `config` is that of the sweep."""

    hydra_context: HydraContext
    config: DictConfig
    folder: Path
    task_function: Callable[[DictConfig], object] = task
    group: str | None = None  # that of all jobs

    @classmethod
    def made_in(cls, folder: Path, group: str | None = None) -> "App":
        """Write the app's config into an empty folder, which is the folder of its sweep too."""
        config = {
            "defaults": [
                "_self_",
                {"override hydra/sweeper": "podium"},
                {"override hydra/job_logging": "none"},
                {"override hydra/hydra_logging": "none"},
            ],
            "does": "return",
            "value": 0,
            "folder": str(folder),
            "hydra": {
                "job": {"name": "conformance", "chdir": False},
                "sweep": {"dir": str(folder), "subdir": JOB_FOLDERS},
                "sweeper": {"store": str(folder / "experiments"), "max_batch_size": 1},
            },
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        loader = ConfigLoaderImpl(create_config_search_path(str(folder)))
        whole = loader.load_configuration("config", [], RunMode.MULTIRUN)
        return cls(HydraContext(loader, Callbacks()), whole, folder, group=group)

    @property
    def common(self) -> Common:
        """What the jobs share."""
        objective = {"metric": "score", "mode": "max", "at": "best"}
        return Common(self.hydra_context, self.task_function, self.folder.name, objective=objective)

    def jobs(self, *does: str) -> list[Job]:
        """Return jobs that do these things, numbered from 0; each returns its number."""
        composer = Composer(self.hydra_context.config_loader, self.config, ())
        jobs = []
        for number, what in enumerate(does):
            overrides = (f"does='{what}'", f"value={number}")
            config = composer.job_config(number, overrides)
            made = Job(number, f"key-{number}", "hash", overrides, {}, config.folder, config.packed())
            jobs.append(replace(made, group=self.group))
        return jobs


def await_file(file: Path) -> bool:
    """Wait until a file is there; return False if that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return file.exists()
