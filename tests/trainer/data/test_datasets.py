"""Our data sets: what they hold, and that loading them again gives the same data."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from threadpoolctl import threadpool_info, threadpool_limits

from trainer.data.load import load, read_splits
from trainer.data.tensors import Splits, fingerprint
from trainer.errors import ConfigError, DataError

CONF = Path(__file__).resolve().parents[3] / "conf" / "data"


def section(name: str, **changes: Any) -> dict[str, Any]:
    return {**OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml")), **changes}


def test_click_data_repeat_by_their_own_seed() -> None:
    first, again = (load(section("ctr", rows=3000)).describe() for _ in range(2))
    other = load(section("ctr", rows=3000, data_seed=1)).describe()
    assert first == again
    assert other["fingerprint"] != first["fingerprint"]


def test_click_data_do_not_depend_on_the_threads_of_blas() -> None:
    found, threads = set(), set()
    for number in (1, 2):
        with threadpool_limits(limits=number):
            splits = read_splits(section("ctr"))
            threads |= {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}
        found.add((fingerprint(splits, splits.targets), str(splits.reference)))
    assert threads == {1, 2}
    assert len(found) == 1


def test_click_data_have_the_asked_rate_and_know_the_best_possible_auc() -> None:
    data = load(section("ctr"))
    assert data.describe()["test_positive_rate"] == pytest.approx(0.17, abs=0.01)
    assert 0.75 < data.reference["bayes_auc"] < 0.95


def test_a_stronger_signal_raises_the_best_possible_auc() -> None:
    weak, strong = (load(section("ctr", signal=each)).reference["bayes_auc"] for each in (0.5, 3.0))
    assert weak < strong


def test_click_data_have_power_law_categories_and_missing_numbers() -> None:
    data = load(section("ctr"))
    widest = data.train.categorical[:, -1].bincount().sort(descending=True).values
    assert widest[0] > 10 * widest[20]
    assert data.encoder.numeric[0].flag_missing


def test_click_data_may_be_small_in_every_direction() -> None:
    data = load(section("ctr", rows=300, numeric_columns=1, categorical_columns=0, max_cardinality=2))
    assert data.shape == (2, ())


def test_the_fingerprint_is_of_the_rows_whatever_their_preprocessing() -> None:
    first, other = (
        load(section("breast_cancer", numeric_transform=each)).describe()["fingerprint"]
        for each in ("standard", "bins")
    )
    assert first == other


def test_another_split_of_the_same_rows_has_another_fingerprint() -> None:
    first, other = (
        load(section("breast_cancer", data_seed=each)).describe()["fingerprint"] for each in (0, 1)
    )
    assert first != other


def test_breast_cancer_is_whole_and_malignant_is_positive() -> None:
    data = load(section("breast_cancer"))
    assert data.describe()["rows"] == 569
    assert data.describe()["train_positive_rate"] == pytest.approx(212 / 569, abs=0.01)


@pytest.mark.needs_data
def test_census_income_keeps_every_row_and_its_own_test_file(data_folder: Path) -> None:
    data = load(section("adult", path=str(data_folder)))
    facts = data.describe()
    assert (facts["train_rows"] + facts["val_rows"], facts["rows"]) == (32561, 32561 + 16281)
    assert (facts["test_rows"], facts["promotion_rows"]) == (8140, 8141)
    assert facts["test_positive_rate"] == pytest.approx(3846 / 16281, abs=1e-4)
    whole = load(section("adult", path=str(data_folder), promotion_fraction=0)).describe()
    assert (whole["test_rows"], whole["promotion_rows"]) == (16281, 0)
    assert whole["test_positive_rate"] == pytest.approx(3846 / 16281, abs=1e-6)
    assert "fnlwgt" not in [each.name for each in data.encoder.numeric]
    assert data.encoder.positive == ">50K"
    work = next(each for each in data.encoder.categorical if each.name == "workclass")
    assert "?" not in work.categories


@pytest.mark.needs_data
def test_census_files_without_header_and_with_the_published_remark_read_the_same(
    data_folder: Path, tmp_path: Path
) -> None:
    for name, opening in (("adult.data", ""), ("adult.test", "|1x3 Cross validator\n")):
        lines = (data_folder / name).read_text().split("\n", 1)[1]
        (tmp_path / name).write_text(opening + lines)
    first, again = (load(section("adult", path=str(each))).describe() for each in (data_folder, tmp_path))
    assert first == again


@pytest.mark.needs_data
def test_the_criteo_sample_reads_with_its_missing_values(data_folder: Path) -> None:
    data = load(section("csv", path=str(data_folder / "criteo_sample.csv"), target="label"))
    assert len(data.encoder.numeric) == 13
    assert len(data.encoder.categorical) == 26
    assert data.describe()["rows"] == 200
    assert data.train.numeric.isfinite().all()


def own_loader(*, size: int) -> Any:
    import numpy as np

    target = np.arange(size) % 2
    tables = tuple({"x": target + 0.5, "y": target} for _ in range(3))
    return Splits(tables, (target, target, target), ("x",), (), "y", "1")


def not_a_loader() -> int:
    return 3


def test_a_loader_of_ones_own_needs_only_its_dotted_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    data = load({"_target_": "test_datasets.own_loader", "dataset": "mine", "size": 10})
    assert data.shape == (1, ())


def test_a_loader_that_gives_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    with pytest.raises(
        DataError, match=r"not_a_loader returned int; a loader returns trainer\.data\.tensors\.Splits"
    ):
        load({"_target_": "test_datasets.not_a_loader", "dataset": "mine"})


def test_a_loader_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ConfigError, match=r"data\._target_=nowhere\.load"):
        load({"_target_": "nowhere.load", "dataset": "mine"})


@pytest.mark.parametrize(
    "name", ["ctr", "breast_cancer", pytest.param("adult", marks=pytest.mark.needs_data)]
)
def test_every_data_set_has_folds(name: str, data_folder: Path) -> None:
    changes: dict[str, Any] = {"ctr": {"rows": 3000}, "adult": {"path": str(data_folder)}}.get(name, {})
    whole = read_splits(section(name, **changes))
    folds = [read_splits(section(name, folds=3, fold=fold, **changes)) for fold in range(3)]
    kept = sum(map(len, whole.targets[:2]))
    assert sum(len(each.targets[1]) for each in folds) == kept
    assert all(len(each.targets[0]) + len(each.targets[1]) == kept for each in folds)
    assert all(each.targets[2].tobytes() == whole.targets[2].tobytes() for each in folds)
    assert len({fingerprint(each, each.targets) for each in (*folds, whole)}) == 2
