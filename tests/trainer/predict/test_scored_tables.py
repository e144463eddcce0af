"""What scoring writes: any table in, any out, with the input's columns as they stood and the model's beside them."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from saved_models import customers

from trainer.data.reading.files import sources
from trainer.saved_model import load_model

Say = Callable[..., tuple[int, str, str]]


def read(path: Path) -> pd.DataFrame:
    suffix = path.name.partition(".")[2]
    readers = {
        "parquet": pd.read_parquet,
        "feather": pd.read_feather,
        "arrow": pd.read_feather,
        "xlsx": pd.read_excel,
    }
    if suffix == "xlsx":  # else pandas makes numbers of codes
        return pd.read_excel(path, dtype={"zip": str})
    if suffix in readers:
        return readers[suffix](path)
    return pd.read_csv(path, sep="\t" if "tsv" in suffix else ",")


OUTPUTS = (
    "csv", "tsv", "parquet", "feather", "arrow", "xlsx", "csv.gz", "csv.bz2", "csv.xz", "csv.zst", "csv.zip", "tsv.gz",
)  # fmt: skip


@pytest.mark.parametrize("suffix", OUTPUTS)
def test_any_output_holds_the_input_and_the_scores_to_the_last_digit(
    models: Path, new: Path, tmp_path: Path, say: Say, suffix: str
) -> None:
    out = tmp_path / f"s.{suffix}"
    assert say(model=models / "binary", input=new, output=out)[0] == 0
    predictor = load_model(models / "binary")
    if suffix == "csv.zst":  # which pandas reads by another library
        out = io.BytesIO(pa.input_stream(str(out), compression="zstd").read())
        found = pd.read_csv(out)
    else:
        found = read(out)
    pd.testing.assert_frame_equal(
        found.drop(columns=["probability", "label", "note", "total", "zip"]).astype(object),
        pd.read_csv(new).drop(columns=["note", "total", "zip"]).astype(object),
    )
    chances = predictor.predict(new)
    if suffix == "xlsx":  # which keeps 16 digits
        np.testing.assert_allclose(found["probability"], chances, rtol=1e-15)
    else:
        assert found["probability"].to_numpy().tobytes() == chances.tobytes()
    assert found["label"].tolist() == predictor.classify(new).tolist()
    if suffix in ("parquet", "feather", "arrow", "xlsx"):
        assert found["zip"].tolist() == customers(50, seed=1)["zip"].tolist()  # codes keep their zeros
        assert found["visits"].dtype == np.int64


def test_csv_comes_out_with_the_same_text(models: Path, new: Path, tmp_path: Path, say: Say) -> None:
    assert say(model=models / "binary", input=new, output=tmp_path / "s.csv")[0] == 0
    before = new.read_text().splitlines()
    after = (tmp_path / "s.csv").read_text().splitlines()
    assert [line.rsplit(",", 2)[0] for line in after] == before
    assert after[0].endswith(",probability,label")


@pytest.mark.parametrize("suffix", ["tsv", "parquet", "feather", "xlsx", "csv.gz", "csv.zip"])
def test_any_input_gives_the_same_scores(
    models: Path, new: Path, tmp_path: Path, say: Say, suffix: str
) -> None:
    table, path = customers(50, seed=1), tmp_path / f"other.{suffix}"
    if suffix == "tsv":
        table.to_csv(path, sep="\t", index=False)
    elif suffix.startswith("csv"):
        table.to_csv(path, index=False)
    else:
        getattr(table, {"parquet": "to_parquet", "feather": "to_feather", "xlsx": "to_excel"}[suffix])(
            path, **({"index": False} if suffix == "xlsx" else {})
        )
    say(model=models / "binary", input=new, output=tmp_path / "one.csv")
    code, _, err = say(model=models / "binary", input=path, output=tmp_path / "two.csv")
    assert (code, err) == (0, "")
    one, two = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("one", "two"))
    assert (one["probability"] == two["probability"]).all()


def test_several_classes_have_a_column_each_and_numbers_one(
    models: Path, new: Path, tmp_path: Path, say: Say
) -> None:
    new_rows = pd.read_csv(new, dtype=str, keep_default_na=False).drop(columns=["plan", "spent"])  # no target
    new_rows.to_csv(new, index=False)
    assert say(model=models / "multiclass", input=new, output=tmp_path / "s.csv")[0] == 0
    found = pd.read_csv(tmp_path / "s.csv")
    chances = found[["probability_basic", "probability_free", "probability_gold"]].to_numpy()
    predictor = load_model(models / "multiclass")
    assert (chances == predictor.predict(new)).all()
    assert found["label"].tolist() == predictor.classify(new).tolist()

    code, out, _ = say(model=models / "regression", input=new, output=tmp_path / "n.csv")
    assert (code, out.strip()) == (0, f"{tmp_path / 'n.csv'}: 50 rows scored by {models / 'regression'}")
    numbers = pd.read_csv(tmp_path / "n.csv")
    assert numbers.columns[-1] == "prediction"
    assert (numbers["prediction"] == load_model(models / "regression").predict(new)).all()


def test_a_file_of_many_chunks_has_the_scores_of_the_whole(
    models: Path, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BLOCK", 1 << 14)
    big, out = tmp_path / "big.csv", tmp_path / "s.parquet"
    table = customers(9000, seed=2)
    table["late"] = [*range(8999), "a word"]  # a number at first, and in the last chunk text
    table.to_csv(big, index=False)
    assert say(model=models / "binary", input=big, output=out, batch_size=4096)[0] == 0
    found = pd.read_parquet(out)
    assert found["late"].tolist() == [*map(str, range(8999)), "a word"]
    assert found["probability"].to_numpy().tobytes() == load_model(models / "binary").predict(big).tobytes()
    assert pq.ParquetFile(out).num_row_groups == 3
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_without_output_it_is_csv_on_the_standard_output(models: Path, new: Path, say: Say) -> None:
    code, out, err = say(model=models / "binary", input=new)
    assert (code, err) == (0, "")
    assert (
        pd.read_csv(io.StringIO(out))["probability"].tolist()
        == load_model(models / "binary").predict(new).tolist()
    )
    assert say(model=models / "binary", input=new, output="-")[1] == out


def test_a_name_that_the_input_has_is_kept_and_the_new_one_is_another(
    models: Path, new: Path, tmp_path: Path, say: Say
) -> None:
    say(model=models / "binary", input=new, output=tmp_path / "once.csv")
    code, _, err = say(model=models / "binary", input=tmp_path / "once.csv", output=tmp_path / "twice.csv")
    assert code == 0
    assert "warning: the input has a column 'label', so the predicted one is 'predicted_label'" in err
    once, twice = pd.read_csv(tmp_path / "once.csv"), pd.read_csv(tmp_path / "twice.csv")
    assert [*twice.columns] == [*once.columns, "predicted_probability", "predicted_label"]
    assert (twice["predicted_probability"] == once["probability"]).all()


def test_columns_threshold_and_a_summary_as_json(models: Path, new: Path, tmp_path: Path, say: Say) -> None:
    out = tmp_path / "s.csv"
    code, text, _ = say(
        model=models / "binary", input=new, output=out, threshold=0.0, columns="[customer,zip]", as_json=True
    )
    assert code == 0
    assert json.loads(text) == {
        "output": str(out), "model": str(models / "binary"), "rows": 50, "threshold": 0.0, "labels": {"yes": 50, "no": 0},
        "columns": ["customer", "zip", "probability", "label"], "bad_values": 0, "notes": [],
    }  # fmt: skip
    assert [*pd.read_csv(out).columns] == ["customer", "zip", "probability", "label"]
    assert say(model=models / "binary", input=new, output=out, columns="[]")[0] == 0
    assert [*pd.read_csv(out).columns] == ["probability", "label"]


def test_a_header_is_written_as_it_stood_and_so_are_odd_cells(models: Path, tmp_path: Path, say: Say) -> None:
    rows = customers(20, seed=3)
    rows.insert(0, "", range(20))
    rows.insert(3, "x y", ['a "quoted", cell'] * 20)
    rows["x y2"] = ["two\nlines"] * 20
    text = rows.to_csv(index=False).replace("x y2", "x y")
    (tmp_path / "odd.csv").write_text(text)
    assert say(model=models / "binary", input=tmp_path / "odd.csv", output=tmp_path / "s.csv")[0] == 0
    written = pd.read_csv(tmp_path / "s.csv", header=None, dtype=str, keep_default_na=False)
    given = pd.read_csv(io.StringIO(text), header=None, dtype=str, keep_default_na=False)
    assert (written.iloc[:, :-2] == given).all(axis=None)
    assert say(model=models / "binary", input=tmp_path / "odd.csv", output=tmp_path / "s.parquet")[0] == 0
    assert {"column_1", "x y", "x y.1"} <= {*pd.read_parquet(tmp_path / "s.parquet").columns}


def test_types_of_parquet_stay_and_become_text_in_csv(models: Path, tmp_path: Path, say: Say) -> None:
    table = pa.Table.from_pandas(customers(20, seed=3), preserve_index=False)
    more = {
        "kind": pa.array(["a", "b"] * 10).dictionary_encode(), "day": pa.array([19000] * 20, pa.date32()),
        "id": pa.array([123456789012.0] * 19 + [None]), "tags": pa.array([["x", "y"]] * 20),
    }  # fmt: skip
    for name, values in more.items():
        table = table.append_column(name, values)
    pq.write_table(table, tmp_path / "new.parquet")
    for suffix in ("parquet", "feather", "csv", "xlsx"):
        assert (
            say(model=models / "binary", input=tmp_path / "new.parquet", output=tmp_path / f"s.{suffix}")[0]
            == 0
        )
    found = pq.read_table(tmp_path / "s.parquet").schema
    assert found.field("day").type == pa.date32()
    assert pa.types.is_dictionary(found.field("kind").type)
    line = (tmp_path / "s.csv").read_text().splitlines()[1].rsplit(",", 2)[0]
    assert line.endswith(""",a,2022-01-08,123456789012,"['x', 'y']\"""")


def test_a_formula_stays_text_in_excel(models: Path, tmp_path: Path, say: Say) -> None:
    rows = customers(5, seed=3)
    rows["customer"] = "=1+2"
    rows.to_csv(tmp_path / "new.csv", index=False)
    say(model=models / "binary", input=tmp_path / "new.csv", output=tmp_path / "s.xlsx")
    assert pd.read_excel(tmp_path / "s.xlsx")["customer"].tolist() == ["=1+2"] * 5
