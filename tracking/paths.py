"""The name of every file on disk. No other module knows one."""

import re
from functools import cached_property
from pathlib import Path

MAX_METRIC_BYTES = (
    120  # in the name of a picture; a file's name has at most 255, its temporary name more than its own
)
DIGEST_DIGITS = 8
_DIGEST = re.compile(rf"-[0-9a-f]{{{DIGEST_DIGITS}}}\Z")
CLOSED_JOURNAL = ".closed.jsonl"  # ends the name of a journal that no process writes any more

# of a run's owner, of another writer (host, pid, hash), of one that ended
_JOURNAL = re.compile(r"metrics(?:|\..+\.\d+\.[0-9a-f]{8}|\.[0-9a-f]{12}\.closed)\.jsonl")
# as Syncthing, Dropbox, Nextcloud, Seafile, Resilio, rclone; of a whole name, Google Drive and iCloud; and OneDrive, which
# adds the name of a computer
_CONFLICT = re.compile(
    r"conflict|\(\d+\)(\.\w+)?$| \d+(\.\w+)?$"
    r"|^(?:run|params|metrics|summary|events|aliases|manifest)-(?-i:[A-Z][\w-]*)\.jsonl?$",
    re.IGNORECASE,
)


def is_journal(name: str) -> bool:
    """Return whether a file of a run's folder has the name that a writer of ours gives to a journal of metrics."""
    return name.startswith("metrics.") and _JOURNAL.fullmatch(name) is not None


def is_conflict(name: str) -> bool:
    """Return whether a sync program gave a file this name, to keep one of two versions beside the other."""
    return _CONFLICT.search(name) is not None


def is_conflict_of_metrics(name: str) -> bool:
    """Return whether a file is a version of a journal or of metrics.json that a sync program kept."""
    return name.startswith("metrics") and not is_journal(name) and ".json" in name and is_conflict(name)


def _file(name: str, purpose: str) -> "cached_property[Path]":
    def path(paths: "RunPaths | StorePaths | ModelPaths") -> Path:
        return paths.folder / name

    path.__doc__ = purpose
    return cached_property(path)


class RunPaths:
    """The files of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    run = _file("run.json", "The truth about the run.")
    params = _file("params.json", "The parameters by name.")
    journal = _file(
        "metrics.jsonl", "The metrics that the run's owner appends; all journals together are the truth."
    )
    complete = _file("metrics.complete", "Left by version 0.1.0 where it was stopped; not read.")
    damaged = _file("metrics.damaged.txt", "The unreadable lines of removed journals; not read as points.")
    metrics = _file("metrics.json", "The metrics by name, each a list of points.")
    damaged_metrics = _file(
        "metrics.damaged.json", "A metrics.json that could not be read when it was replaced."
    )
    summary = _file(
        "summary.json", "Last value, extremes and counts of each metric; a view that can be deleted."
    )
    lost_summary = _file(
        "summary.lost.json", "A summary of more points than were there when the run went on."
    )
    artifacts = _file("artifacts", "The folder of logged files.")
    stop = _file("stop", "Present when the run should stop; see store/ending.py for what it holds.")
    error = _file("error.txt", "The full traceback of a failed run.")
    config = _file("config.yaml", "The configuration of the run.")
    overrides = _file("overrides.yaml", "The overrides that made this configuration out of the default one.")
    environment = _file("env.json", "Interpreter, machine, packages, command and seeds.")
    git = _file("git.json", "The commit of the code, and whether that is all of the code.")
    patch = _file("git.patch", "The changes to that commit, new files included, for `git apply`.")
    output = _file("stdout.log", "What the process printed while the run was open.")
    usage = _file("usage.jsonl", "Samples of processor, memory and GPU use.")
    reruns = _file("reruns.jsonl", "What making the run again has shown, a line each time.")
    deleted = _file("deleted.json", "When and by whom the run was deleted; ignored outside the trash.")

    @cached_property
    def processes(self) -> Path:
        """The folder of the locks of processes, in the store of the run."""
        return StorePaths(self.folder.parent.parent).processes

    def journal_of(self, writer: str) -> Path:
        """Return the journal of a writer other than the run's owner."""
        return self.folder / f"metrics.{writer}.jsonl"

    def closed_journal(self, token: str) -> Path:
        """Return the name for a journal that its writer closes while others still write theirs."""
        return self.folder / f"metrics.{token}{CLOSED_JOURNAL}"


class StorePaths:
    """The files of a store."""

    def __init__(self, named: Path, base: Path | None = None) -> None:
        self.named = named
        # absolute from now on: a later change of the working folder moves no store
        self.base = self.folder = base or named.absolute()
        self._last: tuple[str, RunPaths] | None = None

    runs = _file("runs", "The folder of run folders.")
    trash = _file("trash", "The folder of deleted runs.")
    models = _file("models", "The folder of registered models.")
    metadata = _file("metadata.json", "The published list of all runs.")
    original_metadata = _file("metadata.json.before-podium", "The list of other code, as it was found.")
    inner = _file(".podium", "What only this software reads; all but `last_deleted` can be made again.")
    metadata_lock = _file(".podium/metadata.lock", "Held while metadata.json is published.")
    processes = _file(".podium/processes", "The folder of the locks that living processes hold, one each.")
    edits = _file(".podium/edits", "The folder of the logs of edits, one per host.")
    last_deleted = _file(".podium/last_deleted", "The highest number of a deleted run.")
    incoming = _file(".podium/incoming", "Where an imported run is put together before it gets its place.")
    import_lock = _file(".podium/import.lock", "Held by an import, so that two at once bring no run twice.")
    trash_lock = _file(".podium/trash.lock", "Held while a run enters the trash, leaves it or is purged.")

    def run(self, run_id: str) -> RunPaths:
        """Return the files of one run; the id must have been checked."""
        last = self._last  # most calls in a row are about one run, and its paths are made once
        if last is None or last[0] != run_id:
            last = self._last = run_id, RunPaths(self.runs / run_id)
        return last[1]

    def trashed(self, run_id: str) -> RunPaths:
        """Return the files of a deleted run; the id must have been checked."""
        return RunPaths(self.trash / run_id)

    def shown(self, run_id: str) -> str:
        """Return the folder of a run as users see it, below the store as they named it."""
        return str(self.named / "runs" / run_id)

    def plot(self, metric: str, kind: str = "comparison", suffix: str = "png") -> Path:
        """Return the file for a picture of a metric of several runs, another one for each metric.

        Characters unfit for a file become '_', and a long name is cut; a digest of the name then tells it from others.
        """
        safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in metric)
        short = safe.encode()[:MAX_METRIC_BYTES].decode(errors="ignore")
        if short != metric or _DIGEST.search(metric):
            import hashlib  # it takes milliseconds to load

            digest = hashlib.sha256(metric.encode(errors="surrogatepass")).hexdigest()
            short = f"{short}-{digest[:DIGEST_DIGITS]}"
        return self.base / f"metric_{kind}_{short}.{suffix}"


class ModelPaths:
    """The files of one registered model with all its versions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    events = _file("events.jsonl", "What happened to the model, append-only: the truth about its champion.")
    aliases = _file("aliases.json", "Which version is the champion; a view of the events.")
    lock = _file(".lock", "Held while versions or events are added.")

    def version(self, number: int) -> Path:
        """Return the folder of one version."""
        return self.folder / f"v{number}"

    def manifest(self, number: int) -> Path:
        """Return the file that says what a version holds; it is written last and makes the folder a version."""
        return self.version(number) / "manifest.json"

    def verdict(self, number: int) -> Path:
        """Return the file of the gate's decision on a version."""
        return self.version(number) / "verdict.json"

    def verdicts(self, number: int) -> Path:
        """Return the folder of all decisions on a version, 001.json with its predictions 001.npz being the first."""
        return self.version(number) / "verdicts"

    def scores(self, number: int) -> Path:
        """Return the file of the rows and predictions that the gate's decision on a version was made from."""
        return self.version(number) / "scores.npz"
