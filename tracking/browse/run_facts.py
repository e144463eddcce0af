"""All that there is to say of one run, from the files of its folder."""

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tracking.browse import cells
from tracking.browse.file_tree import FileTrees
from tracking.browse.model_facts import reruns_of, versions_from
from tracking.browse.points import began_of, seconds_of
from tracking.browse.run_files import list_files, read_text
from tracking.errors import CorruptFileError
from tracking.files import atomic, regular
from tracking.metrics.summary_file import size_of
from tracking.objective import usual_direction
from tracking.paths import RunPaths
from tracking.records import RunRecord
from tracking.registry import ModelRegistry
from tracking.store.store import Store
from tracking.values import jsontext
from tracking.values.names import SUPERSEDED_BY

PATCH_BYTES = 256 << 10
TEXT_BYTES = 64 << 10  # of a traceback or a config
OBJECT_BYTES = 4 << 20  # of a file with facts of the code or the environment
USAGE_BYTES = 8 << 20  # of samples that are read, the last ones
MOST_SAMPLES = 1000

Found = TypeVar("Found")


class RunFacts:
    """Reads the facts of one run; `left_out` says of each file that could not be read why."""

    def __init__(self, store: Store, registry: ModelRegistry, trees: FileTrees, run_id: str) -> None:
        self._entry = store.require(run_id)
        self._left_out: list[str] = []
        scan, name = store.scan, str(self._entry["run_id"])
        params = self._or_none(lambda: scan.params(name)) or {}
        self._run = scan.compose(self._entry, params, self._or_none(lambda: scan.summary(name)) or {})
        self._paths = store.paths.run(name)
        self._registry = registry
        self._trees = trees

    def plain(self) -> dict[str, Any]:
        """Return the facts as pages get them."""
        run, paths = self._run, self._paths
        sweep = run.sweep if isinstance(run.sweep, dict) else None
        return {
            "run_id": run.run_id,
            "experiment": cells.value(run.experiment_name),
            "status": run.status.value,
            "created_at": cells.moment(run.created_at),
            "finished_at": cells.moment(run.finished_at),
            "duration_s": run.duration_s,
            "description": cells.value(run.description),
            "tags": cells.value(run.tags),
            "params": cells.value(run.params),
            "metrics": list(_metrics(run)),
            **list_files(paths, self._trees.of(paths)),
            "has_output": regular.is_file(paths.output),
            "output_size": size_of(paths.output) or 0,
            "error": self._or_none(lambda: read_text(paths.error, TEXT_BYTES)) or cells.value(run.error),
            "error_line": cells.value(run.error) or None,
            "git": self._object(paths.git.name),
            "patch": self._or_none(lambda: read_text(paths.patch, PATCH_BYTES)),
            "environment": self._object(paths.environment.name),
            "config": self._or_none(lambda: read_text(paths.config, TEXT_BYTES)),
            "overrides": self._or_none(lambda: _overrides(paths)),
            "data": cells.value(run.data) or None,
            "sweep": sweep
            and cells.value({key: sweep.get(key) for key in ("id", "job", "key", "objective")}),
            "usage": self._or_none(lambda: _usage(paths, self._entry)),
            "models": versions_from(self._registry, run.run_id),
            "rerun_of": cells.value(run.rerun_of),
            "reruns": self._or_none(lambda: reruns_of(paths)) or [],
            "superseded_by": cells.value(run.tags.get(SUPERSEDED_BY)),
            "left_out": self._left_out,
        }

    def _object(self, name: str) -> Any:
        return self._or_none(lambda: cells.value(atomic.read_object(self._paths.folder / name, OBJECT_BYTES)))

    def _or_none(self, read: Callable[[], Found]) -> Found | None:
        try:
            return read()
        except FileNotFoundError:
            return None
        except CorruptFileError as error:
            self._left_out.append(str(cells.value(str(error))))
            return None


def _metrics(run: RunRecord) -> Iterator[dict[str, Any]]:
    for name, summary in run.summary.items():
        yield {"name": cells.value(name), "mode": usual_direction(name), **cells.value(vars(summary))}


def _overrides(paths: RunPaths) -> list[str] | None:
    """Return the overrides that a run's launcher kept, each on a line of its own as JSON."""
    text = read_text(paths.overrides, TEXT_BYTES)
    if text is None:
        return None
    lines = [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
    found = []
    for line in lines:
        try:
            found.append(str(cells.value(jsontext.decode(line.encode()))))
        except ValueError:
            found.append(line)  # of other code, which writes YAML without quotes
    return found


def _usage(paths: RunPaths, entry: dict[str, Any]) -> dict[str, Any] | None:
    """Return samples of processor and memory use as columns; of very many, some at even distances."""
    with regular.open_file(paths.usage) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - USAGE_BYTES))
        data = file.read(USAGE_BYTES)
    lines = data.split(b"\n")[1 if size > USAGE_BYTES else 0 :]
    samples = []
    for line in lines[:: -(-len(lines) // MOST_SAMPLES)]:
        try:
            sample = jsontext.decode(line)
        except ValueError:
            continue
        if isinstance(sample, dict) and isinstance(sample.get("timestamp"), str):
            samples.append(sample)
    if not samples:
        return None
    columns = {"cpu": "cpu_percent", "memory": "rss_bytes", "processes": "processes"}
    columns |= {"system_cpu": "system_cpu_percent", "system_memory": "system_memory_bytes"}
    return {
        "t": seconds_of([sample["timestamp"] for sample in samples], began_of(entry)),
        **{name: [_number(sample.get(key)) for sample in samples] for name, key in columns.items()},
        "gpus": _gpus(samples),
    }


def _gpus(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lists = [sample.get("gpus") for sample in samples]
    gpus = [
        [gpu for gpu in some if isinstance(gpu, dict)] if isinstance(some, list) else [] for some in lists
    ]
    found = []
    for index in range(min(max(map(len, gpus)), 64)):
        some = [each[index] if index < len(each) else {} for each in gpus]
        busy, memory = ([_number(gpu.get(key)) for gpu in some] for key in ("busy_percent", "memory_bytes"))
        found.append({"index": index, "busy": busy, "memory": memory})
    return found


def _number(value: Any) -> Any:
    return cells.value(value) if cells.is_number(value) else None
