"""Which program recorded the runs at a place, and the reader for them."""

import re
from collections.abc import Callable
from enum import StrEnum
from itertools import islice
from pathlib import Path

from tracking.errors import InvalidNameError, InvalidValueError, TrackingError, quoted
from tracking.files import regular
from tracking.transfer.found_runs import Source
from tracking.values.names import check_path

# The readers are imported where they are used: who exports needs none of them, and an import needs one.

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class SourceFormat(StrEnum):
    """The programs whose runs can be imported; each equals its text, which `--from` takes."""

    PODIUM = "podium"
    MLFLOW = "mlflow"
    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    OPTUNA = "optuna"
    HYDRA = "hydra"


# What each of them is given to read.
PLACES = {
    SourceFormat.PODIUM: "a store, which has a folder runs",
    SourceFormat.MLFLOW: "mlflow.db or mlruns",
    SourceFormat.TENSORBOARD: "the folder that holds event files",
    SourceFormat.WANDB: "the folder wandb or a file run-ID.wandb",
    SourceFormat.OPTUNA: "a database or the file of a journal",
    SourceFormat.HYDRA: "multirun or outputs",
}

OURS_OR_MLFLOW = (SourceFormat.PODIUM, SourceFormat.MLFLOW)  # whose runs have readers of another kind


def recognise(source: str) -> SourceFormat | None:
    """Return what wrote the files at a path; None where it is a store, of MLflow, or nothing that is known here.

    Raise TrackingError where several programs have written there.
    """
    from tracking.transfer.hydra_multirun import job_folders
    from tracking.transfer.tensorboard.event_folders import event_files
    from tracking.transfer.wandb.offline_runs import wandb_files

    source = source.removeprefix("sqlite:///")
    if _ADDRESS.match(source):
        return None
    path = check_path("source", source, example="runs").resolve()
    if regular.is_file(path):
        return _of_file(path)
    if not path.is_dir() or (path / "runs").is_dir():
        return None
    has: dict[SourceFormat, Callable[[], bool]] = {
        SourceFormat.HYDRA: lambda: bool([*islice(job_folders(path), 1)]),
        SourceFormat.WANDB: lambda: bool(wandb_files(path)),
        SourceFormat.TENSORBOARD: lambda: bool([*islice(event_files(path), 1)]),
    }
    found = [form for form, is_there in has.items() if is_there()]
    if found[:1] == [SourceFormat.HYDRA] and SourceFormat.WANDB not in found:
        return SourceFormat.HYDRA  # which takes the event files of its jobs too
    if len(found) > 1:
        raise TrackingError(
            f"{quoted(source)} holds runs of {' and '.join(found)}; say which to import with --from"
        )
    return found[0] if found else None


def refuse_unknown(source: str) -> None:
    """Raise TrackingError, which says what can be imported, for a path where nothing was recognised, unless it is a store."""
    path = check_path("source", source.removeprefix("sqlite:///"), example="runs")
    if (path / "runs").is_dir():
        return
    wanted = "; ".join(f"{form}: {place}" for form, place in PLACES.items())
    if not path.exists():
        raise InvalidValueError(f"there is no file or folder {str(path)!r}; what can be imported is {wanted}")
    kind = "folder" if path.is_dir() else "file"
    raise TrackingError(f"the {kind} {str(path)!r} is nothing that can be imported: {wanted}")


def _of_file(path: Path) -> SourceFormat | None:
    from tracking.transfer.optuna_studies import is_storage
    from tracking.transfer.wandb.log_blocks import is_wandb_file
    from tracking.transfer.wandb.offline_runs import SUFFIX

    if path.suffix == SUFFIX and is_wandb_file(path):
        return SourceFormat.WANDB
    if is_storage(path):
        return SourceFormat.OPTUNA
    return None


def open_source(
    source: str, form: SourceFormat, *, with_running: bool = False, may_be_empty: bool = False
) -> Source:
    """Return the reader of the runs that a program has recorded at a path; of Optuna, also at the address of a database.

    `with_running` takes runs that never ended, which become killed. `may_be_empty` takes a folder that has no event file of
    TensorBoard yet. Raise TrackingError where there are none of that
    program, and for `podium` and `mlflow`, whose runs have readers of another kind.
    """
    if form is SourceFormat.OPTUNA:
        from tracking.transfer.optuna_studies import open_studies

        return open_studies(source, with_running=with_running)
    path = check_path("source", source, example="runs")
    if not path.exists():
        raise InvalidNameError(f"there is no {str(path)!r}; give the folder that {form} has recorded into")
    path = path.resolve()  # the user may name a link, such as wandb/latest-run
    if form is SourceFormat.TENSORBOARD:
        from tracking.transfer.tensorboard.event_folders import open_event_folders

        return open_event_folders(path, may_be_empty=may_be_empty)
    if form is SourceFormat.WANDB:
        from tracking.transfer.wandb.offline_runs import SUFFIX, OfflineRuns, wandb_files

        if not wandb_files(path):
            raise InvalidValueError(
                f"{quoted(source)} holds no run of W&B; give the folder wandb, one run in it, or a file run-ID{SUFFIX}"
            )
        return OfflineRuns(path, with_running=with_running)
    if form is SourceFormat.HYDRA:
        from tracking.transfer.hydra_multirun import HydraJobs, job_folders

        if next(job_folders(path), None) is None:
            raise InvalidValueError(
                f"{quoted(source)} holds no job of Hydra, which has a folder .hydra; give multirun or outputs"
            )
        return HydraJobs(path)
    raise InvalidValueError(f"runs of {form} are read by import_runs and import_from_mlflow")
