"""TensorBoard's SummaryWriter, logging into a run: one import is exchanged, and the calls stay.

It has the names and arguments of `torch.utils.tensorboard.SummaryWriter` and of tensorboardX. It needs neither, and writes
no event file.
"""

import logging
import re
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Self

from tracking.errors import InvalidNameError, InvalidValueError
from tracking.integrations.fitting import Fitting
from tracking.integrations.live import STORE, checked_run, nearest_store, script_name
from tracking.process.hooks import renew_in_children
from tracking.run import Run, active_run
from tracking.tracker import ExperimentTracker
from tracking.values.names import check_path, is_component

log = logging.getLogger("tracking")

_UNFIT = re.compile(r"[^\w.\-/]+")
# What a run has no place for. Calls of these are said once and do nothing, so that other code goes on.
NOT_KEPT = frozenset(
    {
        "add_audio",
        "add_custom_scalars",
        "add_custom_scalars_marginchart",
        "add_custom_scalars_multilinechart",
        "add_embedding",
        "add_graph",
        "add_histogram",
        "add_histogram_raw",
        "add_hypothesis",
        "add_image",
        "add_image_with_boxes",
        "add_images",
        "add_mesh",
        "add_onnx_graph",
        "add_openvino_graph",
        "add_pr_curve",
        "add_pr_curve_raw",
        "add_tensor",
        "add_video",
    }
)


@dataclass
class _Folders:
    """The folders of the writers that log into one run, with what stands before their tags there."""

    is_of_writers: bool  # a writer has opened the run
    before: dict[Path | None, str] = field(default_factory=dict)

    def add(self, folder: Path | None) -> str:
        """Return nothing for the first folder, for a further one its last part, or as many as tell it from the others."""
        if folder not in self.before:
            parts = folder.parts[1:] if folder else ()
            choices = ("".join(f"{part}/" for part in parts[at:]) for at in range(len(parts), -1, -1))
            taken = self.before.values()
            self.before[folder] = next((each for each in choices if each not in taken), "")
        return self.before[folder]


_writers: "weakref.WeakKeyDictionary[Run, _Folders]" = weakref.WeakKeyDictionary()
_opening = threading.RLock()  # so that no thread sees the run of another one's writer before it is among them


def _renew() -> None:
    global _opening
    _opening = threading.RLock()


renew_in_children(_renew)


class SummaryWriter:
    """Logs into `run`, else into the run that is open, else into a new one, which `close` completes.

    A new run belongs to the experiment that the last part of `log_dir` names, by default the name of the script, and `comment`
    is its description. As TensorBoard does, it keeps folders apart: a writer of another folder opens a run of its own beside
    that of a writer. In a run that was open before, the tags of a further folder have its last part before them.

    Points have the time of the call, whatever `walltime` says. What a run refuses is left out with a warning. The other
    arguments of TensorBoard's writer are accepted and have no effect.
    """

    def __init__(
        self,
        log_dir: Any = None,
        comment: str = "",
        *_ignored: Any,
        logdir: Any = None,
        run: Run | None = None,
        store: str | PurePath | None = None,
        **_ignored_too: Any,
    ) -> None:
        given = str(log_dir or logdir or "")
        folder = Path(given or comment).absolute() if given or comment else None
        place = nearest_store() if store is None else check_path("store", store, example=STORE)
        with _opening:
            found = checked_run(run) or _shared(folder)
            self._run = found or ExperimentTracker(place).start_run(_experiment(Path(given)))
            folders = _writers.setdefault(self._run, _Folders(is_of_writers=found is None))
            self._before = folders.add(folder)
            self._is_own = folders.is_of_writers and run is None
        self._fitting = Fitting()
        self._said: set[str] = set()
        if comment and found is None:
            self._run.describe(comment)

    @property
    def run(self) -> Run:
        """The run that is logged into."""
        return self._run

    @property
    def log_dir(self) -> str:
        """The folder of the run."""
        return str(self.run.run_dir)

    @property
    def logdir(self) -> str:
        """The folder of the run, as tensorboardX names it."""
        return self.log_dir

    def get_logdir(self) -> str:
        """Return the folder of the run."""
        return self.log_dir

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: Any = None, *_ignored: Any, **_ignored_too: Any
    ) -> None:
        """Log one point."""
        self._log({tag: scalar_value}, global_step)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: Any = None, *_ignored: Any
    ) -> None:
        """Log one point per value, as the metrics MAIN_TAG/NAME."""
        self._log({f"{main_tag}/{name}": value for name, value in tag_scalar_dict.items()}, global_step)

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any] | None = None,
        *_ignored: Any,
        global_step: Any = None,
        **_ignored_too: Any,
    ) -> None:
        """Add parameters, and log one point per metric."""
        self.run.log_params(self._fitting.params(hparam_dict))
        if metric_dict:
            self._log(metric_dict, global_step)

    def add_text(self, tag: str, text_string: str, global_step: Any = None, *_ignored: Any) -> None:
        """Keep a text as the artifact TAG.md, with a step as TAG-STEP.md."""
        self.run.log_text(str(text_string), self._artifact(tag, global_step, ".md"))

    def add_figure(
        self, tag: str, figure: Any, global_step: Any = None, close: bool = True, *_ignored: Any
    ) -> None:
        """Keep a figure of matplotlib, or each of a list, as the artifact TAG.png, with a step as TAG-STEP.png."""
        figures = figure if isinstance(figure, list | tuple) else [figure]
        for number, each in enumerate(figures):
            name = tag if len(figures) == 1 else f"{tag}_{number}"
            self.run.log_figure(each, self._artifact(name, global_step, ".png"))
            if close:
                import matplotlib.pyplot as plt  # which made the figure

                plt.close(each)

    def flush(self) -> None:
        """Do nothing: each call is kept when it returns."""

    def close(self) -> None:
        """Complete a run that the writer has opened; one that was open before goes on."""
        if self._is_own and not self.run.is_finished:
            self.run.finish()

    def _log(self, metrics: Mapping[str, Any], step: Any) -> None:
        named = {f"{self._before}{name}": value for name, value in metrics.items()}
        self._fitting.log(self.run, named, step)

    def _artifact(self, tag: str, step: Any, suffix: str) -> str:
        if not isinstance(tag, str) or not tag.strip():
            raise InvalidNameError(f"the tag {tag!r} is no name; give one such as 'plots/roc'")
        try:
            number = "" if step is None else f"-{int(step)}"
        except (TypeError, ValueError):
            raise InvalidValueError(f"the step {step!r} is no whole number") from None
        named = _UNFIT.sub("_", f"{self._before}{tag}").split("/")
        return f"{'/'.join(part.strip('.') or '_' for part in named if part)}{number}{suffix}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or not self._is_own:
            self.close()
        else:
            self.run.__exit__(kind, error, trace)

    def __getattr__(self, name: str) -> Any:
        if name not in NOT_KEPT:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def ignored(*_positional: Any, **_named: Any) -> None:
            if name not in self._said:
                self._said.add(name)
                log.warning("%s is not kept: a run has scalars, parameters, texts, figures and files", name)

        return ignored


def _shared(folder: Path | None) -> Run | None:
    """Return the run that is open, unless writers of other folders have opened it."""
    found = active_run()
    folders = _writers.get(found) if found else None
    if folders and folders.is_of_writers and (folder is None or folder not in folders.before):
        return None
    return found


def _experiment(folder: Path) -> str:
    name = folder.name
    if name and not is_component(name):
        name = _UNFIT.sub("_", name).strip("._")[:50]
    return name or script_name()
