"""A table in files trains to the same numbers as one in memory, and takes memory for its blocks, not for its rows."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from trainer import fit
from trainer.data.encoding import hashing, in_file, shuffled
from trainer.data.encoding.shuffled import in_order
from trainer.data.load import load
from trainer.data.reading import cache, columns, reading_progress, writers
from trainer.data.reading.evidence import Evidence
from trainer.data.reading.files import sources
from trainer.data.tensors import Dataset, Split
from trainer.defaults import task
from trainer.models.tabular import TabularClassifier

CLASSES = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"]}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "BLOCK", 1 << 14)
    for module in (columns, hashing, shuffled, writers):
        monkeypatch.setattr(module, "BLOCK", 256)
    monkeypatch.setattr(in_file, "_CELLS", 5000)
    monkeypatch.setattr(reading_progress, "EVERY_S", 1e6)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def written(path: Path, task: str, rows: int = 1500) -> Path:
    draw = np.random.default_rng(0)
    answer = draw.normal(size=rows) if task == "regression" else draw.choice(CLASSES[task], rows)
    table = pd.DataFrame(
        {
            "x": np.where(draw.random(rows) < 0.1, np.nan, draw.normal(size=rows)),
            "count": draw.poisson(3, rows),
            "seen": pd.Timestamp("2023-01-01") + pd.to_timedelta(draw.integers(0, 10**8, rows), "s"),
            "city": draw.choice(["Bonn", "Oslo", "Rome", None], rows),
            "user": draw.integers(0, 500, rows),
            "id": np.arange(rows),
            "y": answer,
        }
    )
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    return path


def loaded(path: Path, **options: Any) -> Dataset:
    section = {
        "_target_": "trainer.data.table.load", "dataset": "t", "path": str(path), "target": "y", "val_fraction": 0.2,
        "test_fraction": 0.2, "data_seed": 0, "min_frequency": 2, "categorical": ["user"], **options,
    }  # fmt: skip
    return load(section)


def trained(data: Dataset) -> list[dict[str, float]]:
    draws = torch.Generator().manual_seed(0)
    model = TabularClassifier(
        data.shape.numeric, [8], cardinalities=data.shape.cardinalities, output_dim=data.labels.outputs, generator=draws
    )  # fmt: skip
    return fit(model, data, torch.optim.Adam(model.parameters()), epochs=2, batch_size=64).history


@pytest.mark.parametrize(
    ("name", "task", "options"),
    [
        ("t.csv", "binary", {}),
        ("t.csv", "binary", {"numeric_transform": "standard", "hash_bins": 100, "time_column": "seen"}),
        ("t.parquet", "multiclass", {"numeric_transform": "bins"}),
        ("t.csv", "regression", {"categorical": None, "drop": ["city"]}),
    ],
)
def test_the_numbers_are_those_of_a_table_in_memory(
    tmp_path: Path, name: str, task: str, options: dict[str, Any]
) -> None:
    path = written(tmp_path / name, task)
    memory, files = (loaded(path, cache=cached, **options) for cached in ("never", "always"))
    assert not memory.train.mapped
    assert files.train.mapped
    assert files.encoder == memory.encoder
    assert files.describe() == memory.describe()  # with the fingerprint
    assert (files.profile, files.reader, files.labels) == (memory.profile, memory.reader, memory.labels)
    for one, other in zip(
        (memory.train, memory.val, memory.test), (files.train, files.val, files.test), strict=True
    ):
        assert torch.equal(one.numeric, other.numeric)
        assert torch.equal(one.categorical, other.categorical.long())
        assert torch.equal(one.target, other.target)
    assert trained(files) == trained(memory)


@pytest.mark.parametrize(
    "options", [{}, {"group_column": "user", "categorical": None}, {"group_column": "town"}]
)
def test_rows_without_a_target_are_left_out_alike(tmp_path: Path, options: dict[str, Any]) -> None:
    path = written(tmp_path / "t.csv", "binary")
    table = pd.read_csv(path)
    gone = np.arange(len(table)) % 7 == 0
    table["y"] = table["y"].mask(gone)
    table["town"] = table["city"].fillna("Lima").where(~gone, "Kyiv")  # labels of rows that are left out
    table["place"] = table["town"].where(~gone, "Riga")  # a copy in the rows that are left
    table["twin"] = table["x"].where(~gone, -1.0)
    table["name"] = [f"n{row}" if row % 7 else "none" for row in range(len(table))]
    table.to_csv(path, index=False)
    memory, files = (
        loaded(path, cache=cached, missing_target="skip", **options) for cached in ("never", "always")
    )
    assert files.profile == memory.profile
    assert (files.encoder, files.describe()) == (memory.encoder, memory.describe())
    assert torch.equal(files.test.numeric, memory.test.numeric)
    roles = {each.name: each.role.value for each in files.profile.columns}  # type: ignore[union-attr]
    assert (roles["twin"], roles["name"]) == ("duplicate", "identifier")
    assert roles["place"] == ("categorical" if "town" in options.values() else "duplicate")


def test_pages_of_files_are_let_go_of_and_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.arange(1 << 16, dtype=np.float64).tofile(tmp_path / "x")
    values = cache.mapped(tmp_path / "x", np.float64)
    again = cache.mapped(tmp_path / "x", np.float64, writable=True)
    spare = cache.scratch(1000, np.float64)
    spare[:] = 7
    assert values.sum() == again.sum()

    def resident() -> int:
        return int(
            (Path("/proc/self/smaps").read_text().partition(str(tmp_path / "x"))[2])
            .split("Rss:")[1]
            .split()[0]
        )

    before = resident()
    cache.touch(cache.TOUCHED + 1)
    assert resident() < before
    assert (values[-1], again[-1], spare[-1]) == (65535, 65535, 7)


@given(st.lists(st.integers(0, 999), max_size=50), st.sampled_from([1, 64, 4096, 1 << 20]))
def test_rows_of_a_file_are_taken_in_any_order(chosen: list[int], at_once: int) -> None:
    base, rows = np.arange(3000.0).reshape(1000, 3), np.array(chosen, np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "_RANGE", at_once)
        assert np.array_equal(cache.taken(base, rows), base[rows])


def test_rows_that_lie_apart_count_as_all_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    monkeypatch.setattr(cache, "touch", counted.append)
    monkeypatch.setattr(cache, "_RANGE", 8000)  # bytes: a thousand rows
    cache.taken(np.zeros(10_000), np.array([9999, 0, 5000, 500]))
    assert counted == [501 * 8, 8, 8]


def test_the_task_of_a_large_table_is_found_where_training_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = written(tmp_path / "t.csv", "multiclass"), []
    original = cache.entry

    def entry(key: Any, make: Any, *, needed: int) -> Any:
        return original(key, lambda folder: opened.append(key) or make(folder), needed=needed)

    monkeypatch.setattr(cache, "entry", entry)
    section = {"_target_": "trainer.data.table.load", "path": str(path), "target": "y", "cache": "always"}
    assert task(OmegaConf.create({"data": {**section, "categorical": ["user"]}})) == "multiclass"
    loaded(path, cache="always")
    assert sum("encoded" not in key for key in opened) == 1


def test_a_test_file_is_in_files_too(tmp_path: Path) -> None:
    path, test = written(tmp_path / "t.csv", "binary"), written(tmp_path / "test.parquet", "binary", 300)
    memory, files = (loaded(path, cache=cached, test_path=str(test)) for cached in ("never", "always"))
    assert files.test.mapped
    assert files.describe() == memory.describe()
    assert torch.equal(files.test.numeric, memory.test.numeric)


@pytest.mark.parametrize("batch", [1, 7, 256, 1000])
def test_rows_gathered_block_by_block_are_those_of_a_shuffled_copy(batch: int) -> None:
    rows = 1000
    split = Split(
        torch.arange(rows).float()[:, None],
        torch.arange(rows, dtype=torch.int32)[:, None],
        torch.arange(rows),
    )
    order = torch.randperm(rows)[:900]
    memory, files = (
        in_order(
            Split(split.numeric, split.categorical, split.target, mapped=mapped), order, torch.device("cpu")
        )
        for mapped in (False, True)
    )
    assert len(files) == len(memory) == 900
    for start in range(0, 900, batch):
        part = slice(start, start + batch)
        assert torch.equal(files.take(part).numeric, memory.take(part).numeric)
        assert torch.equal(files.take(part).categorical[:, 0], memory.take(part).target)
        assert files.take(part).categorical.dtype == torch.int64


def peak(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the most bytes that Python, numpy and Arrow hold while a table is loaded and an epoch's rows are gathered."""
    arrow = [0]
    see = Evidence.see

    def seen(*given: Any, **options: Any) -> None:
        see(*given, **options)
        arrow.append(pa.total_allocated_bytes())

    monkeypatch.setattr(Evidence, "see", seen)
    tracemalloc.start()
    try:
        data = loaded(path, cache="always", categorical=None)
        rows = in_order(data.train, torch.arange(len(data.train)), torch.device("cpu"))
        for start in range(0, len(rows), 256):
            rows.take(slice(start, start + 256))
        return tracemalloc.get_traced_memory()[1] + max(arrow)
    finally:
        tracemalloc.stop()
        monkeypatch.setattr(Evidence, "see", see)


def wide(path: Path, rows: int) -> Path:
    draw = np.random.default_rng(0)
    numbers = {f"n{index}": np.round(draw.normal(size=rows), 6) for index in range(30)}
    texts = {f"c{index}": np.char.add("v", draw.integers(0, 300, rows).astype(str)) for index in range(3)}
    ids = np.char.add("u", np.arange(rows).astype(str))
    pd.DataFrame({**numbers, **texts, "id": ids, "y": draw.integers(0, 2, rows)}).to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_memory_grows_with_blocks_and_not_with_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = 5_000, 12_000  # more than what is read ahead
    small, large = wide(tmp_path / "small.csv", few), wide(tmp_path / "large.csv", many)
    peak(wide(tmp_path / "first.csv", 500), monkeypatch)  # loads what is loaded once
    per_row = (peak(large, monkeypatch) - peak(small, monkeypatch)) / (many - few)
    of_file = (large.stat().st_size - small.stat().st_size) / (many - few)
    # The target, row numbers and the order of an epoch are in memory, and what is known of one column while it is prepared.
    assert per_row < 80, f"{per_row:.0f} bytes per row"
    assert of_file > 250
