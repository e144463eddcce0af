"""What the parent of a sweep does with a job's config: check it, and show the table that it trains on.

Each table is read once here, whatever the number of jobs, and never a large one: all jobs read it anyway, and its first
job would only start later. Loads no torch.
"""

import json
import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from trainer import config
from trainer.errors import TrainerError
from trainer.schema import is_ours, named_task

LARGEST = 64 << 20  # bytes of the files of a table that is read here; that takes a few seconds
MOST = 3  # tables that are read here
FILES = {  # loaders that read files, and say what they find there: the keys of their files
    "trainer.data.table.load": ("path", "test_path"),
    "trainer.data.adult.load": ("path",),
}
# Keys that change neither the columns of a table nor their roles.
OTHERS = (
    "dataset",
    "data_seed",
    "fold",
    "val_fraction",
    "test_fraction",
    "numeric_transform",
    "min_frequency",
)

_read: dict[str, list[str] | TrainerError] = {}  # what was found in each table, by how it was read


def check(cfg: DictConfig) -> list[str]:
    """Return what the data of a job hold, a note for each thing; raise ConfigError or DataError for a job that cannot run."""
    config.check(cfg)
    if not is_ours(cfg.get("task")):  # what its function does with a table is its own affair
        return []
    task = named_task(cfg.get("task"))
    section: Any = OmegaConf.to_container(cfg.data, resolve=True)
    files = FILES.get(section["_target_"])
    if files is None:  # its loader may be slow, and load torch
        return []
    size = sum(map(_size, (Path(section[key]) for key in files if section.get(key))))
    rest = {key: value for key, value in section.items() if key not in OTHERS}
    known = json.dumps([rest, task, size], sort_keys=True, default=str)
    called = "podium inspect" if "PODIUM_TRAINER_COMMAND" in os.environ else "python -m trainer.inspect"
    command = f"{called} shows their columns"
    if size > LARGEST:
        return [f"{section['path']}: {size / 1e9:.1f} GB are not read before the jobs; {command}"]
    if known not in _read:
        if len(_read) >= MOST:
            return [f"of the tables of this sweep, the columns of {MOST} are shown; {command}"]
        try:
            _read[known] = _notes(section, task)
        except TrainerError as error:  # the same for each job
            _read[known] = error
    found = _read[known]
    if isinstance(found, TrainerError):
        raise found
    return found


def _notes(section: dict[str, Any], task: str | None) -> list[str]:
    """Return the table of columns, and a warning for each thing that a user might not expect."""
    from trainer.data.load import noted, read_splits
    from trainer.data.profile import terminal_width

    splits = read_splits(section, task=task)
    profile = splits.profile
    if profile is None:
        return []
    return [profile.text(terminal_width()), *noted(profile, splits.labels, task=task)]


def _size(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file())
