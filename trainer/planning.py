"""What the parent of a sweep does with a job's config: check it, show the table that it trains on, and encode its rows.

Each table is read once here, whatever the number of jobs, and never a large one: all jobs read it anyway, and its first
job would only start later. Loads no torch.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from trainer import config
from trainer.errors import TrainerError
from trainer.schema import is_ours, named_task

if TYPE_CHECKING:
    from trainer.data.encoding.prepared import Facts
    from trainer.data.tensors import Splits

LARGEST = 64 << 20  # bytes of the files of a table that is read here; that takes a few seconds
MOST = 3  # tables that are read here
FILES = {  # loaders that read files, and say what they find there: the keys of their files
    "trainer.data.table.load": ("path", "test_path"),
    "trainer.data.adult.load": ("path",),
}
OWN = ("trainer.data.ctr.load", "trainer.data.breast_cancer.load")  # quick loaders that have nothing to show
# Keys that change neither the columns of a table nor their roles.
OTHERS = (
    "dataset",
    "data_seed",
    "fold",
    "val_fraction",
    "test_fraction",
    "promotion_fraction",
    "numeric_transform",
    "min_frequency",
)

# What no stack trains has nothing of company; see trainer.training.stack.
LOOPED = ("trainer.models.ft_transformer.FTTransformer",)
STACKED = tuple(f"torch.optim.{name}" for name in ("Adam", "AdamW", "SGD"))

# Of what jobs must agree on to train in one process: sections as a whole, and parts of others without what may differ.
SHARED = ("task", "data", "loss", "metrics", "device")
MAY_DIFFER = {
    "model": ("dropout", "attention_dropout", "residual_dropout"),
    "optimizer": ("betas", "eps", "momentum"),
    "training": (
        "learning_rate", "weight_decay", "batch_size", "epochs", "early_stopping_patience", "label_smoothing",
        "checkpoint_every_s",
    ),
}  # fmt: skip

_checked: list[
    tuple[DictConfig, dict[str, Any]]
] = []  # the config that was checked last, and its plain values
_read: dict[str, list[str] | TrainerError] = {}  # what was found in each table, by how it was read


def check(cfg: DictConfig) -> list[str]:
    """Return what the data of a job hold, a note for each thing; raise ConfigError or DataError for a job that cannot run."""
    plain = config.check(cfg)
    _checked[:] = [(cfg, plain)]
    if not is_ours(plain.get("task")):  # what its function does with a table is its own affair
        return []
    task = named_task(plain.get("task"))
    section: dict[str, Any] = plain["data"]
    files = FILES.get(section["_target_"])
    if files is None:  # its loader may be slow, and load torch
        if section["_target_"] in OWN and not _read:
            _read[section["_target_"]] = []
            with contextlib.suppress(TrainerError):
                _notes(section, task)
        return []
    size = _rows_bytes(section)
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


def fuse_key(cfg: DictConfig) -> str | None:
    """Return a text that is equal for jobs that may train in one process; None for a job that needs one of its own.

    Such jobs have the same data and the same network and differ in what each model of a stack may have of its own: rates,
    seed, batch size, schedule, length. Code of the user's, a GPU, and a table that is kept in files, are no matter for a
    process that is shared. The config is a checked one.
    """
    plain = _checked[0][1] if _checked and _checked[0][0] is cfg else config.check(cfg)
    data, model = plain.get("data"), plain.get("model")
    if not is_ours(plain.get("task")) or not isinstance(data, dict) or not isinstance(model, dict):
        return None
    targets = [str(each.get("_target_")) for each in (data, model)]
    if not all(each.startswith("trainer.") for each in targets) or plain.get("device") not in ("auto", "cpu"):
        return None
    if targets[1] in LOOPED or plain["optimizer"].get("_target_") not in STACKED:
        return None
    if (plain.get("loss") or {}).get("_target_"):
        return None
    if data.get("cache") == "always" or _rows_bytes(data) > LARGEST:
        return None
    parts: dict[str, Any] = {name: plain.get(name) for name in SHARED}
    for name, free in MAY_DIFFER.items():
        parts[name] = {key: value for key, value in plain[name].items() if key not in free}
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _rows_bytes(data: dict[str, Any]) -> int:
    """Return the size of the files of a data section."""
    try:
        return sum(_size(Path(data[key])) for key in FILES.get(data["_target_"], ()) if data.get(key))
    except OSError:  # its job says what is wrong
        return 0


def _notes(section: dict[str, Any], task: str | None) -> list[str]:
    """Return the table of columns, and a warning for each thing that a user might not expect.

    The encoded rows are put where the jobs find them, while torch is loaded for these.
    """
    from trainer.data.encoding import prepared
    from trainer.data.load import how_encoded, noted, read_splits
    from trainer.data.profile import terminal_width

    key = prepared.key_of(section, task)
    known: Facts | Splits | None = prepared.facts(key)
    if known is None:
        known = splits = read_splits(section, task=task)
        with contextlib.suppress(TrainerError):  # a job says what is wrong
            prepared.prepare(key, splits, how_encoded(section), task=task)
    if known.profile is None:
        return []
    return [known.profile.text(terminal_width()), *noted(known.profile, known.labels, task=task)]


def _size(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file())
