"""An encoded data set is made once, and what the cache holds is what reading and encoding would give."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pytest
import torch
from omegaconf import DictConfig

from trainer import planning
from trainer.data import load as loading
from trainer.data.encoding import prepared
from trainer.data.load import how_encoded, load, read_splits
from trainer.data.tensors import Dataset

Compose = Callable[..., DictConfig]
CTR = {
    "_target_": "trainer.data.ctr.load", "rows": 300, "numeric_columns": 3, "categorical_columns": 2, "max_cardinality": 9,
    "positive_rate": 0.3, "signal": 1.0, "val_fraction": 0.2, "test_fraction": 0.2, "data_seed": 0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    def counted(section: dict[str, Any], **named: Any) -> Any:
        found.append(section["_target_"])
        return read_splits(section, **named)

    monkeypatch.setattr(loading, "read_splits", counted)
    return found


def written(path: Path, rows: int = 90, shift: int = 0, age_s: float = 60.0) -> Path:
    lines = "".join(
        f"{n % 7},{'abc'[n % 3]},{n / 8 + shift},{n % 2},{1 + n % 2},{n % 11}\n" for n in range(rows)
    )
    path.write_text(f"x,kind,price,y,w,id\n{lines}")
    settled(path, age_s)
    return path


def settled(path: Path, age_s: float = 60.0) -> None:
    """Let a file look as if it had changed some time ago; its time of change is that of the rename below."""
    then = time.time() - age_s
    os.utime(path, (then, then))


def table(path: Path, **keys: Any) -> dict[str, Any]:
    return {
        "_target_": "trainer.data.table.load", "dataset": "t", "path": str(path), "target": "y",
        "val_fraction": 0.2, "test_fraction": 0.2, "data_seed": 0, **keys,
    }  # fmt: skip


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a minute pass after files were written."""
    monkeypatch.setattr(prepared, "SETTLED_S", -60.0)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
    return bool(one == other)


def assert_same(one: Dataset, other: Dataset) -> None:
    for each in fields(Dataset):
        first, second = getattr(one, each.name), getattr(other, each.name)
        if each.name in prepared.SPLITS:
            for part in fields(first):
                assert same(getattr(first, part.name), getattr(second, part.name)), (each.name, part.name)
        else:
            assert same(first, second), each.name
    if one.reader is not None and other.reader is not None:
        assert (one.reader.notes, one.reader.skipped) == (other.reader.notes, other.reader.skipped)


SECTIONS = {
    "ctr": (CTR, None),
    "folds": ({**CTR, "folds": 3, "fold": 1}, None),
    "no categories": ({**CTR, "categorical_columns": 0}, None),
    "table": ({}, None),
    "weights": ({"weight_column": "w"}, None),
    "several classes": ({"target": "kind"}, None),
    "a number": ({"target": "price"}, "regression"),
    "bins": ({"numeric_transform": "bins", "min_frequency": 5}, None),
}


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("name", SECTIONS)
def test_what_is_kept_is_what_reading_and_encoding_give(
    tmp_path: Path, reads: list[str], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys, task = SECTIONS[name]
    section = keys if "_target_" in keys else table(written(tmp_path / "t.csv"), **keys)
    made = load(section, task=task)
    said = [each.getMessage() for each in caplog.records]
    caplog.clear()
    again = load(section, task=task)
    assert len(reads) == 1
    assert_same(made, again)
    assert [each.getMessage() for each in caplog.records] == said
    assert made.describe() == again.describe()


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("name", SECTIONS)
def test_the_parent_of_a_sweep_keeps_the_same(tmp_path: Path, reads: list[str], name: str) -> None:
    keys, task = SECTIONS[name]
    section = keys if "_target_" in keys else table(written(tmp_path / "t.csv"), **keys)
    made = loading.encode(read_splits(section, task=task), **how_encoded(section), task=task)
    prepared.prepare(
        prepared.key_of(section, task), read_splits(section, task=task), how_encoded(section), task=task
    )
    assert_same(made, load(section, task=task))
    assert reads == []


@pytest.mark.usefixtures("now")
def test_another_state_of_the_file_another_key_or_another_code_is_another_data_set(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "t.csv")
    first = load(table(path))
    load(table(path, dataset="another name of the same"))
    assert len(reads) == 1
    load(table(path, data_seed=1))
    assert len(reads) == 2
    written(path, shift=1)  # of the same size and time
    assert load(table(path)).fingerprint != first.fingerprint
    monkeypatch.setattr(prepared, "_CODE", ["another"])
    load(table(path))
    assert len(reads) == 4


def test_a_file_that_has_just_changed_is_not_kept(tmp_path: Path, reads: list[str]) -> None:
    section = table(written(tmp_path / "t.csv", age_s=0))
    load(section)
    load(section)
    assert len(reads) == 2


@pytest.mark.usefixtures("now")
def test_a_file_that_changes_while_it_is_read_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "t.csv")

    def changed(section: dict[str, Any], **named: Any) -> Any:
        splits = read_splits(section, **named)
        written(path, rows=95)
        return splits

    monkeypatch.setattr(loading, "read_splits", changed)
    key = prepared.key_of(table(path), None)
    load(table(path))
    assert prepared.find(key) is None


@pytest.mark.usefixtures("now")
def test_what_is_not_to_be_kept_is_read_each_time(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    section = table(written(tmp_path / "t.csv"), cache="never")
    load(section)
    load(section)
    assert len(reads) == 2
    monkeypatch.setattr(prepared, "LARGEST", 100)
    load(CTR)
    load(CTR)
    assert len(reads) == 4
    assert prepared.key_of({"_target_": "my_data.load"}, None) is None
    assert prepared.key_of(table(tmp_path / "none.csv"), None) is None


def test_without_a_cache_that_can_be_written_all_is_as_ever(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_same(load(CTR), load(CTR))
    assert len(reads) == 2


def test_an_entry_that_is_damaged_or_removed_is_made_again(cache_home: Path, reads: list[str]) -> None:
    first = load(CTR)
    (entry,) = (each for each in (cache_home / "podium" / "tables").iterdir() if each.is_dir())
    (entry / "rows.bin").unlink()
    assert_same(first, load(CTR))
    (entry / "entry.json").write_text("{")
    assert_same(first, load(CTR))
    (entry / "rows.bin").write_bytes(b"short")
    assert_same(first, load(CTR))


def test_a_job_that_changes_its_rows_changes_nobody_elses(reads: list[str]) -> None:
    load(CTR)
    one, other = load(CTR), load(CTR)
    before = other.train.numeric.clone()
    one.train.numeric.fill_(7)
    assert torch.equal(other.train.numeric, before)
    assert torch.equal(load(CTR).train.numeric, before)
    assert len(reads) == 1


def test_jobs_that_start_at_once_all_get_the_data(tmp_path: Path) -> None:
    code = f"from trainer.data.load import load; print(load({CTR!r}).fingerprint)"
    jobs = [forked.start("-c", code, kind="trainer", stdout=subprocess.PIPE) for _ in range(3)]
    found = {job.communicate()[0] for job in jobs}
    assert found == {load(CTR).fingerprint + "\n"}


def test_the_parent_of_a_sweep_encodes_without_torch(composed: Compose, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom omegaconf import OmegaConf\nfrom trainer import planning\n"
        f"planning._notes({CTR!r}, None)\n"
        "assert 'torch' not in sys.modules\n"
        "from trainer.data.encoding import prepared\n"
        f"print(prepared.facts(prepared.key_of({CTR!r}, None)).fingerprint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == load(CTR).fingerprint


@pytest.mark.usefixtures("now")
def test_a_table_whose_rows_are_kept_is_shown_without_being_read(
    composed: Compose, tmp_path: Path, reads: list[str]
) -> None:
    cfg = composed("data=csv", f"data.path={written(tmp_path / 't.csv')}", "data.target=y")
    planning._read.clear()
    notes = planning.check(cfg)
    planning._read.clear()
    assert planning.check(cfg) == notes
    assert "x" in notes[0]
    assert len(reads) == 1
    planning._read.clear()


@pytest.mark.usefixtures("now")
def test_a_warning_of_the_encoder_is_given_by_each_job_and_not_by_the_parent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    section = table(written(tmp_path / "t.csv"), categorical=["id"], min_frequency=50)
    caplog.set_level(logging.WARNING)
    prepared.prepare(prepared.key_of(section, None), read_splits(section), how_encoded(section), task=None)
    assert caplog.text == ""
    load(section)
    assert "has no category that occurs in 50 training rows" in caplog.text


def test_rows_are_kept_to_the_last_bit_and_nothing_is_lost(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    arrays = {
        "a": draw.normal(size=(5, 3)).astype(np.float32),
        "b": np.empty((5, 0), np.int64),
        "c": np.array([np.nan, np.inf, -0.0]),
        "d": np.arange(7, dtype=np.int32)[::2],
    }
    places = prepared._written(tmp_path / "rows", arrays)
    found = prepared._mapped(tmp_path / "rows", places)
    assert {name: (each.dtype, each.shape, each.tobytes()) for name, each in found.items()} == {
        name: (each.dtype, each.shape, each.tobytes()) for name, each in arrays.items()
    }


def test_a_shared_data_set_is_handed_out_again_and_another_is_not(tmp_path: Path, reads: list[str]) -> None:
    first = load(CTR, shared=True)
    assert load(CTR, shared=True) is first
    assert load(CTR) is not first
    assert load({**CTR, "data_seed": 1}, shared=True).fingerprint != first.fingerprint
    assert load(CTR, shared=True) is not first  # the last one alone is held


@pytest.mark.usefixtures("now")
def test_a_shared_data_set_tells_each_job_its_warnings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    section = table(written(tmp_path / "t.csv"), categorical=["id"], min_frequency=50)
    said = []
    for _ in range(3):
        caplog.clear()
        load(section, shared=True)
        said.append([each.getMessage() for each in caplog.records])
    assert said[0] == said[1] == said[2]
    assert "has no category that occurs in 50 training rows" in said[0][0]


def test_arrays_are_found_out_once(cache_home: Path) -> None:
    asked = []

    def find_out() -> dict[str, np.ndarray[Any, Any]]:
        asked.append(1)
        return {"a": np.arange(3.0)}

    for _ in range(2):
        assert prepared.remembered_arrays({"of": 1}, find_out)["a"].tolist() == [0, 1, 2]
    assert len(asked) == 1
    (file,) = cache_home.rglob("rows.bin")
    file.write_bytes(b"")
    assert prepared.remembered_arrays({"of": 1}, find_out)["a"].tolist() == [0, 1, 2]
    assert prepared.remembered_arrays({"of": 2}, dict) == {}
    assert prepared.remembered_arrays({"of": 2}, find_out) == {}
