import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.utils.logging_utils import RankedLogger

log = RankedLogger(__name__)


def task_wrapper(task_func: Callable[..., Any]) -> Callable[..., Any]:
    """Log where the output is, whether the task returns or raises."""

    @functools.wraps(task_func)
    def wrap(cfg: DictConfig) -> tuple[dict[str, float], dict[str, Any]]:
        try:
            metrics, objects = task_func(cfg=cfg)
        except Exception:
            log.exception("")
            raise
        finally:
            log.info(f"Output dir: {cfg.paths.output_dir}")
        return metrics, objects

    return wrap


def extras(cfg: DictConfig) -> None:
    if cfg.get("ignore_warnings"):
        warnings.filterwarnings("ignore")
    folder = Path(cfg.paths.output_dir)
    (folder / "tags.log").write_text(f"{cfg.tags}\n")
    (folder / "config_tree.log").write_text(OmegaConf.to_yaml(cfg, resolve=True))


def get_metric_value(metrics: dict[str, float], name: str | None) -> float | None:
    if not name:
        return None
    if name not in metrics:
        raise KeyError(f"{name} is not among {', '.join(metrics)}")
    return metrics[name]
