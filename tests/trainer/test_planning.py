"""The parent of a sweep checks each config and shows each table once, without loading torch."""

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
