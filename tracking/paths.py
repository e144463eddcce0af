"""Where everything lies on disk: one property per file, and nothing else knows a file's name."""

from functools import cached_property
from pathlib import Path
from zlib import crc32

CLOSED_JOURNAL = ".closed.jsonl"  # the end of the name of a journal that nobody writes any more


def is_journal(name: str) -> bool:
    """Whether a file of a run's folder is a journal of metrics, of the run's owner or of another writer."""
    return name.startswith("metrics.") and name.endswith(".jsonl")


class RunPaths:
    """The files of one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def run(self) -> Path:
        """The truth about the run."""
        return self.folder / "run.json"

    @cached_property
    def params(self) -> Path:
        """The parameters, by name."""
        return self.folder / "params.json"

    @cached_property
    def journal(self) -> Path:
        """The metrics that the run's owner appends; all journals together are the whole truth about them."""
        return self.folder / "metrics.jsonl"

    def journal_of(self, writer: str) -> Path:
        """The journal of another writer than the run's owner, known by `writer`; one with all others."""
        return self.folder / f"metrics.{writer}.jsonl"

    def closed_journal(self, token: str) -> Path:
        """A journal that its writer gave up while others went on."""
        return self.folder / f"metrics.{token}{CLOSED_JOURNAL}"

    @cached_property
    def complete(self) -> Path:
        """Present while several journals are removed: metrics.json already holds all that is in them."""
        return self.folder / "metrics.complete"

    @cached_property
    def damaged(self) -> Path:
        """The lines of journals that could not be read when these were removed; no reader takes them for points."""
        return self.folder / "metrics.damaged.txt"

    @cached_property
    def metrics(self) -> Path:
        """The metrics by name, each a list of points."""
        return self.folder / "metrics.json"

    @cached_property
    def summary(self) -> Path:
        """Per metric its last value, extremes and counts; a view that can be deleted."""
        return self.folder / "summary.json"

    @cached_property
    def artifacts(self) -> Path:
        """The folder of logged files."""
        return self.folder / "artifacts"

    @cached_property
    def stop(self) -> Path:
        """A file whose presence asks the run to stop."""
        return self.folder / "stop"

    @cached_property
    def error(self) -> Path:
        """The full traceback of a failed run."""
        return self.folder / "error.txt"

    @cached_property
    def config(self) -> Path:
        """The configuration the run was started with."""
        return self.folder / "config.yaml"

    @cached_property
    def overrides(self) -> Path:
        """The overrides that made this configuration out of the default one."""
        return self.folder / "overrides.yaml"

    @cached_property
    def environment(self) -> Path:
        """Interpreter, machine, packages, command and seeds."""
        return self.folder / "env.json"

    @cached_property
    def git(self) -> Path:
        """The commit the run was started from, and whether that is all of the code."""
        return self.folder / "git.json"

    @cached_property
    def patch(self) -> Path:
        """What the code had beyond that commit, new files included; `git apply` takes it."""
        return self.folder / "git.patch"

    @cached_property
    def output(self) -> Path:
        """What the process printed while the run was open."""
        return self.folder / "stdout.log"

    @cached_property
    def usage(self) -> Path:
        """Samples of processor, memory and GPU use."""
        return self.folder / "usage.jsonl"

    @cached_property
    def deleted(self) -> Path:
        """When and by whom the run was deleted; says nothing in a folder that is not in the trash."""
        return self.folder / "deleted.json"


class StorePaths:
    """The files of a store."""

    def __init__(self, named: Path, base: Path | None = None) -> None:
        self.named = named
        self.base = base or named.absolute()  # now: a later change of the working folder moves no store

    @cached_property
    def runs(self) -> Path:
        """The folder of run folders."""
        return self.base / "runs"

    @cached_property
    def metadata(self) -> Path:
        """The published index of all runs."""
        return self.base / "metadata.json"

    @cached_property
    def original_metadata(self) -> Path:
        """The list of other code as it was before this software first wrote into its store."""
        return self.base / "metadata.json.before-podium"

    @cached_property
    def inner(self) -> Path:
        """The folder of what only this software reads; all of it can be made again but `last_deleted`."""
        return self.base / ".podium"

    @cached_property
    def metadata_lock(self) -> Path:
        """Held while metadata.json is published."""
        return self.inner / "metadata.lock"

    @cached_property
    def edits(self) -> Path:
        """The folder of the logs of edits, one per host."""
        return self.inner / "edits"

    @cached_property
    def index(self) -> Path:
        """The folder of the read indexes, one per host."""
        return self.inner / "index"

    @cached_property
    def last_deleted(self) -> Path:
        """The highest number of a deleted run."""
        return self.inner / "last_deleted"

    @cached_property
    def incoming(self) -> Path:
        """The folder where an imported run is put together before it gets its place."""
        return self.inner / "incoming"

    @cached_property
    def import_lock(self) -> Path:
        """Held while runs are imported, so that two imports at once bring none twice."""
        return self.inner / "import.lock"

    @cached_property
    def trash(self) -> Path:
        """The folder of deleted runs."""
        return self.base / "trash"

    @cached_property
    def trash_lock(self) -> Path:
        """Held while a run goes into the trash, comes out of it, or is purged."""
        return self.inner / "trash.lock"

    def run_lock(self, run_id: str) -> Path:
        """Held while a run.json is read, changed and replaced; runs share a few dozen of these files."""
        return self.inner / "locks" / f"{crc32(run_id.encode()) % 64:02d}.lock"

    @cached_property
    def models(self) -> Path:
        """The folder of registered models."""
        return self.base / "models"

    def run(self, run_id: str) -> RunPaths:
        """The files of one run; the id must have been checked."""
        return RunPaths(self.runs / run_id)

    def trashed(self, run_id: str) -> RunPaths:
        """The files of a deleted run; the id must have been checked."""
        return RunPaths(self.trash / run_id)

    def shown(self, run_id: str) -> str:
        """The folder of a run as users are shown it, below the store as it was named."""
        return str(self.named / "runs" / run_id)

    def plot(self, metric: str, kind: str = "comparison", suffix: str = "png") -> Path:
        """The picture of a metric of several runs; characters unfit for a file name become '_'."""
        safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in metric)
        return self.base / f"metric_{kind}_{safe[:100]}.{suffix}"


class ModelPaths:
    """The files of one registered model, all versions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def events(self) -> Path:
        """What happened to the model, append-only: the truth about its champion."""
        return self.folder / "events.jsonl"

    @cached_property
    def aliases(self) -> Path:
        """Which version is the champion; a view of the events."""
        return self.folder / "aliases.json"

    @cached_property
    def lock(self) -> Path:
        """Held while versions or events are added."""
        return self.folder / ".lock"

    def version(self, number: int) -> Path:
        """The folder of one version."""
        return self.folder / f"v{number}"

    def manifest(self, number: int) -> Path:
        """What the version holds and where it came from; written last, so its presence makes the version."""
        return self.version(number) / "manifest.json"

    def verdict(self, number: int) -> Path:
        """The gate's decision on the version."""
        return self.version(number) / "verdict.json"
