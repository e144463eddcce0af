"""A loaded model reads a table as its training did, whatever holds the rows."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from omegaconf import DictConfig

from trainer.errors import DataError
from trainer.saved_model import load_model
from trainer.task import train


def test_a_model_of_a_table_predicts_from_whatever_holds_the_rows(
    composed: Callable[..., DictConfig], tmp_path: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    draw = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "customer": [f"C{row}" for row in range(120)],
            "total": [
                " " if row % 20 == 0 else f"{value:,.2f}"
                for row, value in enumerate(draw.normal(5000, 1500, 120))
            ],
            "work": draw.choice([" State-gov", " Private"], 120),
            "since": [f"{day:02}/05/2022" for day in draw.integers(1, 28, 120)],
            "y": draw.choice(["Yes", "No"], 120),
        }
    )
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    overrides = ("training.epochs=1", "training.batch_size=16", "data.numeric_transform=standard")
    with caplog.at_level(logging.INFO):
        train(composed("data=csv", f"data.path={path}", "data.target=y", *overrides))
    assert "column 'customer' is text that is different in each row" in caplog.text
    assert "positive: Yes" in caplog.text
    artifacts = store / "runs" / "run_001" / "artifacts"
    columns = {
        each["name"]: each["role"] for each in json.loads((artifacts / "data.json").read_text())["columns"]
    }
    assert columns == {
        "customer": "identifier", "total": "numeric", "work": "categorical", "since": "time", "y": "target",
    }  # fmt: skip

    model = load_model(artifacts)
    first = model.predict(path)
    table.to_parquet(tmp_path / "t.parquet")
    records = table.drop(columns=["customer", "y"]).to_dict("records")
    for other in (
        str(tmp_path / "t.parquet"),
        table,
        pd.read_csv(path, thousands=","),
        records,
        table.to_dict("list"),
    ):
        assert model.predict(other).tobytes() == first.tobytes()
    streamed = type("Frame", (), {"__arrow_c_stream__": pa.Table.from_pandas(table).__arrow_c_stream__})()
    assert model.predict(streamed).tobytes() == first.tobytes()  # as other libraries hand over their tables
    for row in (records[3], table.iloc[3], pd.read_csv(path, thousands=",").iloc[3]):
        assert model.predict(row).tolist() == first[3:4].tolist()
    with pytest.raises(DataError, match=r"lacks columns .*: total, since, work; its columns are customer"):
        model.predict(table["customer"])
    assert model.evaluate().named()

    with pytest.raises(DataError, match="column 'total' is used as numeric but holds 'many' in row 2"):
        model.predict([records[0], {**records[1], "total": "many"}])
    assert len(model.predict({**records[1], "total": "many"}, bad_rows="missing")) == 1
    caplog.clear()
    model.predict({**records[1], "total": float("inf")})
    assert [each.getMessage() for each in caplog.records] == [
        "column 'total' holds 1 infinite value, read as missing"
    ]
    with pytest.raises(DataError, match="lacks columns the model was trained on: since"):
        model.predict(table.drop(columns="since"))

    sidecar = json.loads((artifacts / "model.json").read_text())
    assert sidecar.pop("format") == 2
    del sidecar["reader"]
    (artifacts / "model.json").write_text(json.dumps({**sidecar, "format": 1}))  # as podium 0.1.0 wrote it
    old = load_model(artifacts)
    plain = {name: values.tolist() for name, values in model.reader.read(path).columns.items()}  # type: ignore[union-attr]
    assert old.predict(plain).tolist() == first.tolist()
    assert old.evaluate().named() == model.evaluate().named()
    assert old.predict(path).tolist() == first.tolist()  # by the columns that its encoder knows
