"""Notes, in the process of a job, which files of its code are not those that the sweep began with.

Only that process knows what it loads, and when: a file that is edited afterwards changes nothing in it. Looking costs a
stat call for each file of the app that is loaded; only a file that changed since the sweep began is read.
"""

import contextlib
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from sweeps.paths import job_folder
from sweeps.plan.plan import Plan
from sweeps.state.code import CHANGES, MEANWHILE, hash_of, loaded_below
from tracking import TrackingError
from tracking.files import write_json

# Of this process, by path: its version when it was loaded; empty for that of the sweep.
_loaded: dict[str, str] = {}
_looked_at: set[str] = set()  # names of modules


class CodeWatch(Callback):
    """A callback that goes with each job of the sweep in `sweep_dir`, whose code lies below `root`."""

    def __init__(self, sweep_dir: Path, root: Path) -> None:
        self._sweep_dir = sweep_dir
        self._root = str(root)
        self._session_ns = self._began_ns = time.time_ns()
        _looked_at.clear()
        # For a launcher that runs jobs in this process, what is loaded here is what they run.
        try:
            plan = Plan.read(sweep_dir / "plan.json")
            self._began_ns = int(datetime.fromisoformat(plan.created_at).timestamp() * 1e9)
        except (OSError, TrackingError, ValueError, TypeError):  # the sweep begins now
            _loaded.update({self._path(name): "" for name in loaded_below(self._root)})
        else:
            self._note()

    def on_job_start(self, config: DictConfig, **_kwargs: Any) -> None:
        """Note the versions of what is loaded before the task runs."""
        with contextlib.suppress(OSError):
            self._changes(config).unlink(missing_ok=True)  # of an earlier attempt
        self._job_ns = time.time_ns()
        self._note()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_kwargs: Any) -> None:  # noqa: ARG002 - Hydra's signature
        """Note what the task has loaded, and keep the files that differ in the job's folder."""
        self._note(since_ns=self._job_ns)
        below = self._path("")
        changed = {
            path.removeprefix(below): version
            for path, version in _loaded.items()
            if version and path.startswith(below)
        }
        if changed:
            with contextlib.suppress(TrackingError):  # a full disk
                write_json(self._changes(config), changed, durable=False)

    def _changes(self, config: DictConfig) -> Path:
        return job_folder(self._sweep_dir, int(config.hydra.job.num)) / CHANGES

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _note(self, since_ns: int | None = None) -> None:
        """Note each file that was loaded since the last look; since `since_ns`, if that is given."""
        new = sys.modules.keys() - _looked_at
        _looked_at.update(new)
        for name in loaded_below(self._root, new):
            path = self._path(name)
            if path not in _loaded:
                _loaded[path] = self._version(name, since_ns)

    def _version(self, name: str, since_ns: int | None) -> str:
        """Return the version of a file that was loaded a moment ago, or since `since_ns`."""
        file = Path(self._path(name))
        try:
            changed_ns = file.stat().st_ctime_ns
            if changed_ns < self._began_ns:
                return ""
            version, known = hash_of(file), self._known.get(name)
        except OSError:  # removed after it was loaded
            return ""
        # Of a file that the plan does not know, only this session can tell whether it changed.
        if version == known or (known is None and changed_ns < self._session_ns):
            return ""
        return version if since_ns is None or changed_ns < since_ns else MEANWHILE

    @cached_property
    def _known(self) -> Mapping[str, str]:
        try:
            plan = Plan.read(self._sweep_dir / "plan.json")
        except (OSError, TrackingError):
            return {}
        return {**(plan.late_code or {}), **(plan.code or {})}
