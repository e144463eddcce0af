"""Where sweeps lie: claims a new folder, finds one that is there."""

from datetime import datetime
from pathlib import Path

from sweeps.errors import SettingsError, SweepError
from tracking import TrackingError
from tracking.values.names import check_component

LATEST = "latest"
NAMED = 5  # ids in a message
JOB_FOLDERS = "jobs/${hydra.job.num}"  # as ``hydra.sweep.subdir`` says it


def job_folder(sweep_dir: Path, number: int) -> Path:
    """The folder that a job's own output goes to, below that of its sweep."""
    return sweep_dir / "jobs" / str(number)


def claim(store: Path, name: str | None) -> Path:
    """Make a sweep's folder, which must be new: named `name`, or by the time when that is None."""
    parent = (store / "sweeps").absolute()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if name == LATEST:
            raise SettingsError(
                f"sweep.name={name}: means the sweep that was begun last; choose another name"
            )
        if name is not None:
            folder = parent / check_component("sweep.name", name)
            folder.mkdir()
            return folder
        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        for attempt in range(1, 1000):
            folder = parent / (stamp if attempt == 1 else f"{stamp}-{attempt}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except FileExistsError:
        raise SettingsError(
            f"sweep.name={name}: {parent / str(name)} exists; choose a new name, or go on with that sweep: "
            f"python -m sweeps resume {name}"
        ) from None
    except (OSError, TrackingError) as error:
        raise SettingsError(f"cannot make a sweep folder in {parent}: {error}") from error
    raise SettingsError(f"no free sweep folder {parent / stamp}")


def abandon(sweep_dir: Path) -> None:
    """Remove the folder of a sweep that was refused before it began."""
    for name in ("plan.json", "multirun.yaml", "sweep.lock"):
        (sweep_dir / name).unlink(missing_ok=True)
    sweep_dir.rmdir()


def sweep_folders(store: Path) -> list[Path]:
    """The folders of all sweeps in a store, by name."""
    return sorted(plan.parent for plan in (store / "sweeps").glob("*/plan.json"))


def find_sweep(store: Path, sweep: str) -> Path:
    """Return the folder of a sweep: its id or the beginning of one, ``latest``, or a path.

    The latest is the one that was begun last. Raises `SweepError` listing those there are.
    """
    if (Path(sweep) / "plan.json").exists():
        return Path(sweep)
    folders = sweep_folders(store)
    if not folders:
        raise SweepError(f"no sweeps in {store}; start one with -m on the command line of an app: -m KEY=A,B")
    if not sweep:
        raise SweepError(
            f"a sweep is named by its id, the beginning of it, or {LATEST}, not by an empty text"
        )
    if sweep == LATEST:
        return max(folders, key=lambda folder: ((folder / "plan.json").stat().st_mtime, folder.name))
    fitting = [folder for folder in folders if folder.name.startswith(sweep)]
    exact = [folder for folder in fitting if folder.name == sweep]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    if fitting:
        raise SweepError(
            f"{sweep}: {len(fitting)} sweeps begin like this: {_named(fitting)}; type more of it"
        )
    raise SweepError(f"{sweep}: no such sweep in {store}; the latest are: {_named(folders)}")


def _named(folders: list[Path]) -> str:
    return ("..., " if len(folders) > NAMED else "") + ", ".join(folder.name for folder in folders[-NAMED:])


def shown(path: Path) -> Path:
    """Return `path` relative to the working folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
