"""Fixtures of the trainer's tests: composed configs without the sweep's plug-ins."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from own_models import QUICK

from hydra_plugins.podium.versions import current_defaults
from sweeps.plan.packing import quick_configs

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = {
    "data": "ctr",
    "model": "mlp",
    "training": "default",
    "optimizer": "adam",
    "scheduler": "constant",
    "objective": "val_auc",
    "tracking": "default",
    "promotion": "default",
    "paths": "default",
}

Compose = Callable[..., DictConfig]


@pytest.fixture
def composed(tmp_path: Path) -> Compose:
    """Compose the project's config groups with overrides; runs go to a temporary store."""
    folder = tmp_path / "conf"
    folder.mkdir()
    defaults = "".join(f"  - {group}: {choice}\n" for group, choice in SECTIONS.items())
    (folder / "task.yaml").write_text(
        f"defaults:\n{defaults}  - _self_\n  - experiment: null\n  - debug: null\n\nseed: 0\ndevice: auto\nsweep: {{}}\n"
        f"paths:\n  experiments: {tmp_path / 'experiments'}\n"
        f"hydra:\n  searchpath: ['file://{ROOT / 'conf'}']\n"
    )

    def make(*overrides: str) -> DictConfig:
        GlobalHydra.instance().clear()
        with quick_configs(), initialize_config_dir(str(folder), **current_defaults()):
            return compose("task", overrides=list(overrides))

    return make


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Train on one thread: small models gain nothing from two, and lose time on a busy machine."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.fixture(autouse=True)
def quiet_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no plots, which take ten times as long as a small training; a test that looks at them asks for `plots`."""
    if "plots" not in request.fixturenames:
        monkeypatch.setattr("trainer.task.draw", lambda *_arguments, **_named: [])


@pytest.fixture
def plots() -> None:
    """Have the plots of runs drawn."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "experiments"


@pytest.fixture
def quick(composed: Compose) -> DictConfig:
    return composed(*QUICK)
