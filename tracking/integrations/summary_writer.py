"""TensorBoard's SummaryWriter, logging into a run: one import is exchanged, and the calls stay.

It has the names and arguments of `torch.utils.tensorboard.SummaryWriter` and of tensorboardX. It needs neither, and writes
no event file.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tracking.errors import InvalidNameError, InvalidValueError
from tracking.integrations.fitting import Fitting
from tracking.integrations.live import Live
from tracking.run import Run

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


class SummaryWriter:
    """Logs into `run`, else into the run that is open, else into a new one, which `close` completes.

    A new run belongs to the experiment that the last part of `log_dir` names, by default the name of the script, and `comment`
    is its description. Points have the time of the call, whatever `walltime` says. What a run refuses is left out with a
    warning. The other arguments of TensorBoard's writer are accepted and have no effect.
    """

    def __init__(
        self,
        log_dir: Any = None,
        comment: str = "",
        *_ignored: Any,
        run: Run | None = None,
        store: str | None = None,
        **_ignored_too: Any,
    ) -> None:
        self._live = Live(
            Path(str(log_dir)).name or None if log_dir is not None else None, run=run, store=store
        )
        self._fitting = Fitting()
        self._said: set[str] = set()
        if comment and self._live.is_own:
            self._live.run.describe(comment)

    @property
    def run(self) -> Run:
        """The run that is logged into."""
        return self._live.run

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
        self.run.log_text(str(text_string), _artifact(tag, global_step, ".md"))

    def add_figure(
        self, tag: str, figure: Any, global_step: Any = None, close: bool = True, *_ignored: Any
    ) -> None:
        """Keep a figure of matplotlib, or each of a list, as the artifact TAG.png, with a step as TAG-STEP.png."""
        figures = figure if isinstance(figure, list | tuple) else [figure]
        for number, each in enumerate(figures):
            name = tag if len(figures) == 1 else f"{tag}_{number}"
            self.run.log_figure(each, _artifact(name, global_step, ".png"))
            if close:
                import matplotlib.pyplot as plt  # which made the figure

                plt.close(each)

    def flush(self) -> None:
        """Do nothing: each call is kept when it returns."""

    def close(self) -> None:
        """Complete a run that the writer has opened; one that was open before goes on."""
        self._live.end()

    def _log(self, metrics: Mapping[str, Any], step: Any) -> None:
        self._fitting.log(self.run, metrics, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def __getattr__(self, name: str) -> Any:
        if name not in NOT_KEPT:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def ignored(*_positional: Any, **_named: Any) -> None:
            if name not in self._said:
                self._said.add(name)
                log.warning("%s is not kept: a run has scalars, parameters, texts, figures and files", name)

        return ignored


def _artifact(tag: str, step: Any, suffix: str) -> str:
    if not isinstance(tag, str) or not tag.strip():
        raise InvalidNameError(f"the tag {tag!r} is no name; give one such as 'plots/roc'")
    try:
        number = "" if step is None else f"-{int(step)}"
    except (TypeError, ValueError):
        raise InvalidValueError(f"the step {step!r} is no whole number") from None
    parts = [part.strip(".") or "_" for part in _UNFIT.sub("_", tag).split("/") if part]
    return f"{'/'.join(parts)}{number}{suffix}"
