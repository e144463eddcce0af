"""The parent of a sweep checks each config and shows each table once, without loading torch."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from trainer import planning
from trainer.data import load
from trainer.errors import ConfigError, DataError

Compose = Callable[..., DictConfig]


@pytest.fixture(autouse=True)
def _nothing_is_read() -> Iterator[None]:
    planning._read.clear()
    yield
    planning._read.clear()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    read = load.read_splits

    def counted(section: dict[str, str], **named: object) -> object:
        found.append(section["path"])
        return read(section, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(load, "read_splits", counted)
    return found


def written(folder: Path, name: str = "people.csv") -> Path:
    rows = "".join(f"{number},{number % 7},{number % 2}\n" for number in range(60))
    (folder / name).write_text(f"id,x,y\n{rows}")
    return folder / name


def test_a_table_is_shown_with_a_note_for_each_warning(composed: Compose, tmp_path: Path) -> None:
    table, warning = planning.check(composed("data=csv", f"data.path={written(tmp_path)}", "data.target=y"))
    assert table.startswith("people.csv: 60 rows, 3 columns\ntarget y, binary: 0 30, 1 30 (positive: 1)\n")
    assert warning.startswith("column 'id' is a whole number that is different in each row")


def test_jobs_of_one_table_read_it_once(composed: Compose, tmp_path: Path, reads: list[str]) -> None:
    own = ("data=csv", f"data.path={written(tmp_path)}", "data.target=y")
    cfg = composed(*own)
    notes = [planning.check(cfg)]
    for key, value in {"training.learning_rate": 0.1, "data.data_seed": 4, "data.min_frequency": 3}.items():
        OmegaConf.update(cfg, key, value)
        notes.append(planning.check(cfg))
    assert len(reads) == 1
    assert all(each == notes[0] for each in notes)


def test_other_columns_are_another_table_and_their_number_is_limited(
    composed: Compose, tmp_path: Path, reads: list[str]
) -> None:
    paths = [written(tmp_path, f"part{number}.csv") for number in range(planning.MOST + 2)]
    cfg, notes = composed("data=csv", f"data.path={paths[0]}", "data.target=y"), []
    for path in paths:
        OmegaConf.update(cfg, "data.path", str(path))
        notes.append(planning.check(cfg))
    assert len(reads) == planning.MOST
    (last,) = notes[-1]
    assert "the columns of 3 are shown" in last
    assert notes[-2] == notes[-1]


def test_a_large_file_is_not_read_before_the_jobs(
    composed: Compose, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "LARGEST", 100)
    (note,) = planning.check(composed("data=csv", f"data.path={written(tmp_path)}", "data.target=y"))
    assert "are not read before the jobs; python -m trainer.inspect shows their columns" in note
    assert reads == []


def test_data_of_other_loaders_are_left_to_the_jobs(composed: Compose) -> None:
    assert planning.check(composed()) == []


def test_what_the_config_or_the_table_cannot_be_is_refused(
    composed: Compose, tmp_path: Path, reads: list[str]
) -> None:
    own = ("data=csv", f"data.path={written(tmp_path)}")
    with pytest.raises(ConfigError, match=r"data\.target=z"):
        planning.check(composed(*own, "data.target=z"))
    cfg = composed(*own, "data.target=y", "data.positive='7'")
    for _ in range(2):
        with pytest.raises(DataError, match=r"data\.positive='7' does not occur"):
            planning.check(cfg)
    assert len(reads) == 1


def test_showing_a_table_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from hydra import compose, initialize_config_module\n"
        "with initialize_config_module('conf', version_base='1.3'):\n"
        f"    cfg = compose('config', ['data=csv', 'data.path={written(tmp_path)}', 'data.target=y'])\n"
        "from trainer.planning import check\n"
        "assert len(check(cfg)) == 2\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def differing(composed: Compose, *overrides: str) -> str | None:
    return planning.fuse_key(composed(*overrides))


@pytest.mark.parametrize(
    "override",
    [
        "training.learning_rate=0.5", "training.weight_decay=0.1", "training.epochs=3", "training.batch_size=64", "seed=7",
        "training.early_stopping_patience=2", "training.label_smoothing=0.1", "model.dropout=0", "scheduler=cosine",
        "optimizer.betas=[0.8,0.9]", "device=cpu", "tracking.experiment_name=other", "+threshold=0.3",
    ],
)  # fmt: skip
def test_jobs_that_differ_in_what_a_model_may_have_of_its_own_may_share_a_process(
    composed: Compose, override: str
) -> None:
    key = differing(composed, "device=cpu")
    assert key is not None
    assert differing(composed, "device=cpu", override) == key


@pytest.mark.parametrize(
    "override",
    [
        "data.rows=1000", "data.data_seed=1", "data.min_frequency=9", "model.hidden_dims=[8]", "model=resnet",
        "optimizer=sgd", "training.threads=2", "training.class_weight=balanced", "+task=binary",
        "+metrics.mcc._target_=sklearn.metrics.matthews_corrcoef",
    ],
)  # fmt: skip
def test_jobs_of_other_data_or_of_another_network_do_not(composed: Compose, override: str) -> None:
    key, other = differing(composed), differing(composed, override)
    assert other is not None
    assert other != key


@pytest.mark.parametrize(
    "sections",
    [
        {"device": "cuda"},
        {"task": {"_target_": "own_models.train"}},
        {"model": {"_target_": "own_models.Tiny"}},
        {"data": {"_target_": "own_models.load_data", "dataset": "mine"}},
        {"loss": {"_target_": "own_losses.focal"}},
        {"optimizer": {"_target_": "torch.optim.NAdam"}},
        {"model": {"_target_": "trainer.models.ft_transformer.FTTransformer"}},
    ],
)
def test_code_of_the_users_a_gpu_and_what_no_stack_trains_need_a_process(
    composed: Compose, sections: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = composed()
    plain = {**planning.config.check(cfg), **sections}
    monkeypatch.setattr(planning, "_checked", [(cfg, plain)])  # a check would import what the sections name
    assert planning.fuse_key(cfg) is None


def test_a_table_that_is_kept_in_files_needs_a_process(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ("data=csv", f"data.path={written(tmp_path)}", "data.target=y")
    assert differing(composed, *own) is not None
    assert differing(composed, *own, "data.cache=always") is None
    monkeypatch.setattr(planning, "LARGEST", 100)
    assert differing(composed, *own) is None


def test_a_key_is_the_same_in_every_process(composed: Compose) -> None:
    cfg = composed("device=cpu")
    plain = OmegaConf.to_container(cfg, resolve=True)
    code = (
        "import sys\nfrom omegaconf import OmegaConf\nfrom trainer.planning import fuse_key\n"
        f"print(fuse_key(OmegaConf.create({plain!r})))\nassert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == planning.fuse_key(cfg)


@pytest.mark.parametrize("target", ["y", "word", "price"])
def test_the_task_of_a_table_is_found_without_pandas_and_by_all_jobs_once(
    tmp_path: Path, target: str
) -> None:
    rows = "".join(f"{n % 2},{'yes' if n % 3 else 'no'},{n / 7:.4f}\n" for n in range(80))
    (tmp_path / "t.csv").write_text(f"y,word,price\n{rows}")
    code = (
        "import json, sys\nfrom trainer import defaults\nfrom trainer.data.encoding import prepared\n"
        "prepared.SETTLED_S = -60\n"  # as if a minute had passed since the file was written
        "if len(sys.argv) > 3:\n    defaults._read = None\n"
        "print(defaults._found({'path': sys.argv[1], 'target': sys.argv[2]}))\n"
        "assert 'pandas' not in sys.modules\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    found = []
    for more in ((), ("again",)):
        command = [sys.executable, "-c", code, str(tmp_path / "t.csv"), target, *more]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.strip())
    assert found == [{"price": "regression"}.get(target, "binary")] * 2


def test_a_job_of_ours_imports_nothing_heavy_after_what_the_launcher_loads(tmp_path: Path) -> None:
    launcher = OmegaConf.load(Path(planning.__file__).parents[1] / "conf/hydra/launcher/trainer.yaml")
    words = [
        "data.rows=300", "training.epochs=1", "model.hidden_dims=[8]", f"paths.experiments={tmp_path / 'store'}", "device=cpu",
    ]  # fmt: skip
    code = (
        "import sys, importlib\nfrom hydra import compose, initialize_config_dir\n"
        f"for each in {list(launcher.preload)!r}:\n    importlib.import_module(each)\n"
        "import trainer.config\n"
        f"with initialize_config_dir({str(Path(planning.__file__).parents[1] / 'conf')!r}, version_base='1.3'):\n"
        f"    cfg = compose('config', overrides={words!r}, return_hydra_config=False)\n"
        "from trainer.data.load import load\nfrom omegaconf import OmegaConf\n"
        "import subprocess\n"
        "child = 'from trainer import planning; planning._notes(' + repr(OmegaConf.to_container(cfg.data, resolve=True)) + ', None)'\n"
        "subprocess.run([sys.executable, '-c', child], check=True)\n"  # as the parent of a sweep does
        "from unittest import mock\nbefore = set(sys.modules)\nfrom trainer import task\n"
        "with mock.patch.object(task, '_is_job_of_sweep', lambda: True):\n    task.train(cfg)\n"
        "new = {each.partition('.')[0] for each in set(sys.modules) - before}\n"
        "assert 'torch._dynamo' not in sys.modules\n"
        "ours = [each for each in set(sys.modules) - before if each.startswith(('trainer.', 'tracking.', 'sweeps.'))]\n"
        "assert not ours, ours\n"
        "assert not new & {'pandas', 'pyarrow', 'sklearn', 'scipy', 'matplotlib', 'numpy', 'sympy', 'PIL'}, new\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
