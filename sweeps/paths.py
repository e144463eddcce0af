"""The folders of sweeps in a store: make a new one, find an existing one."""

import contextlib
from datetime import datetime
from pathlib import Path

from sweeps.errors import SettingsError, SweepError
from tracking import TrackingError
from tracking.files import claim_dir, refuse_link
from tracking.process.program import command
from tracking.values.names import check_component

LATEST = "latest"
NAMED = 5  # ids in a message
JOB_FOLDERS = "jobs/${hydra.job.num}"  # for ``hydra.sweep.subdir``; the same as `job_folder`


def job_folder(sweep_dir: Path, number: int) -> Path:
    """Return the folder of a job's own output, below that of its sweep."""
    return sweep_dir / "jobs" / str(number)


def claim(store: Path, name: str | None) -> Path:
    """Make and return a new folder for a sweep, named `name`, or by the time when that is None.

    Raise `SettingsError` when the folder exists or cannot be made.
    """
    parent = (store / "sweeps").absolute()
    try:
        if name is None:
            stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
            return claim_dir(parent, lambda number: stamp if number == 1 else f"{stamp}-{number}")[1]
        if name == LATEST:
            raise SettingsError(f"sweep.name={name}: this name means the newest sweep; choose another one")
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / check_component("sweep.name", name)
        # A sweep that was killed before it had a plan left a folder without one; its lock tells whether it still runs.
        folder.mkdir(exist_ok=not (folder / "plan.json").exists())
        return folder
    except FileExistsError:
        raise SettingsError(
            f"sweep.name={name}: {parent / str(name)} exists; choose a new name, or resume that sweep with: "
            f"{command(f'resume {name}', 'sweeps')}"
        ) from None
    except (OSError, TrackingError) as error:
        raise SettingsError(f"cannot make a sweep folder in {parent}: {error}") from error


def abandon(sweep_dir: Path) -> None:
    """Remove the folder of a sweep that was refused before its first job."""
    for name in ("plan.json", "multirun.yaml", "warm_start.json", "sweep.lock"):
        (sweep_dir / name).unlink(missing_ok=True)
    for temporary in sweep_dir.glob(".*.tmp"):  # of a sweep that was killed here
        temporary.unlink()
    with contextlib.suppress(OSError):  # somebody else's file is in it
        sweep_dir.rmdir()


def sweep_folders(store: Path) -> list[Path]:
    """Return the folders of all sweeps in a store, sorted by name; raise UnreadableFileError if that of all is a link."""
    refuse_link(store / "sweeps")
    return sorted(plan.parent for plan in (store / "sweeps").glob("*/plan.json"))


def find_sweep(store: Path, sweep: str) -> Path:
    """Return the folder of the sweep that `sweep` names: an id or the beginning of one, ``latest``, or a path.

    ``latest`` is the sweep that was started last. Raise `SweepError` with the known ids when none or several fit.
    """
    given = Path(sweep)
    if (given / "plan.json").exists():
        return given.resolve() if given.is_symlink() else given  # a link of the user's own is followed
    folders = sweep_folders(store)
    if not folders:
        raise SweepError(f"no sweeps in {store}; start one with -m on the command line of an app: -m KEY=A,B")
    if not sweep:
        raise SweepError(f"the name of a sweep is empty; give its id, the beginning of it, or {LATEST}")
    if sweep == LATEST:
        return max(folders, key=lambda folder: ((folder / "plan.json").stat().st_mtime, folder.name))
    fitting = [folder for folder in folders if folder.name.startswith(sweep)]
    exact = [folder for folder in fitting if folder.name == sweep]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    if fitting:
        raise SweepError(
            f"{sweep}: {len(fitting)} sweeps begin with this: {_named(fitting)}; type more of the id"
        )
    raise SweepError(f"{sweep}: no such sweep in {store}; the newest are: {_named(folders)}")


def _named(folders: list[Path]) -> str:
    return ("..., " if len(folders) > NAMED else "") + ", ".join(folder.name for folder in folders[-NAMED:])


def shown(path: Path) -> Path:
    """Return `path` relative to the working folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def shown_run(run: str) -> str:
    """Return a run as users see it: its id, or its folder if it lies in another store than the sweep."""
    return str(shown(Path(run)))
