"""Each checkpoint of a Lightning training has a place of its own among the artifacts."""

from pathlib import Path
from typing import Any

import pytest

pl = pytest.importorskip("lightning.pytorch")

# Lightning warns of the machine, and of itself
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("default_sigterm")]


def saving(folder: Path, name: str, every: int) -> Any:
    """Return a callback that keeps every second, or each, checkpoint of a training."""
    return pl.callbacks.ModelCheckpoint(folder, filename=name, save_top_k=-1, every_n_epochs=every)


def kept(base: Path, choice: object, *callbacks: Any) -> list[str]:
    """Return the checkpoints that are artifacts after four epochs of a step."""
    from lightning.pytorch.demos.boring_classes import BoringModel

    from tracking.integrations.lightning import TrackingLogger

    logger = TrackingLogger("lines", store=base, log_checkpoints=choice)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "limit_val_batches": 0}
    trainer = pl.Trainer(
        max_epochs=4, limit_train_batches=1, accelerator="cpu", logger=logger, callbacks=[*callbacks], **quiet
    )
    trainer.fit(BoringModel())
    folder = logger.run.artifacts_dir / "checkpoints"
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.ckpt"))


@pytest.mark.parametrize(
    ("choice", "places"),
    [
        ("all", [*(f"2/epoch={epoch}.ckpt" for epoch in range(4)), "epoch=1.ckpt", "epoch=3.ckpt"]),
        (True, ["2/best.ckpt", "best.ckpt"]),
    ],
)
def test_those_of_a_second_callback_are_in_a_folder_of_their_own_though_it_saves_first(
    base: Path, tmp_path: Path, choice: object, places: list[str]
) -> None:
    rare, often = saving(tmp_path / "a", "{epoch}", 2), saving(tmp_path / "b", "{epoch}", 1)
    assert kept(base, choice, rare, often) == places


def test_those_of_one_callback_keep_their_folders(base: Path, tmp_path: Path) -> None:
    found = kept(base, "all", saving(tmp_path, "{epoch}/model", 2))
    assert found == ["epoch=1/model.ckpt", "epoch=3/model.ckpt"]


def test_one_from_elsewhere_keeps_its_name(base: Path, tmp_path: Path) -> None:
    class Elsewhere(pl.callbacks.ModelCheckpoint):  # type: ignore[misc, name-defined]
        def setup(self, *given: Any, **named: Any) -> None:
            super().setup(*given, **named)
            (tmp_path / "old").mkdir()
            (tmp_path / "old" / "best.ckpt").write_text("best so far")
            self.best_k_models[str(tmp_path / "old" / "best.ckpt")] = 0.0

    found = kept(
        base, "all", Elsewhere(tmp_path / "new", filename="{epoch}", save_top_k=-1, every_n_epochs=4)
    )
    assert found == ["best.ckpt", "epoch=3.ckpt"]
