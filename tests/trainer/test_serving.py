"""The server of docs/serving.md, asked by FastAPI's own client."""

import random
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from tracking import ModelRegistry, UnknownModelError
from trainer import load_model
from trainer.task import train

Compose = Callable[..., DictConfig]
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "serving.md").read_text()


def client() -> Any:
    """Start the server in the current folder."""
    pytest.importorskip("fastapi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Starlette prefers the successor of httpx
        from fastapi.testclient import TestClient
    (server,) = re.findall(r"```python\n(# serve\.py\n.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "serve"}
    exec(compile(server, "serve.py", "exec", dont_inherit=True), names)
    return TestClient(names["app"])


def trained(composed: Compose, folder: Path, *more: str) -> None:
    draws = random.Random(0)
    rows = ["age,device,clicked"]
    for _ in range(300):
        age, device = draws.randint(18, 80), draws.choice(["phone", "tablet"])
        rows.append(f"{age},{device},{'yes' if draws.random() < (0.9 if age < 45 else 0.2) else 'no'}")
    (folder / "clicks.csv").write_text("\n".join(rows) + "\n")
    train(
        composed(
            "data=csv", f"data.path={folder / 'clicks.csv'}", "data.target=clicked", "model=logistic",
            "training.learning_rate=0.1", "training.epochs=2", *more,
        )
    )  # fmt: skip


def promote(store: Path, run: str, value: float) -> None:
    registry = ModelRegistry(store)
    version = registry.register(
        "clicks_model",
        run,
        files=["model_best.pt", "model.json"],
        objective={"metric": "judged", "mode": "max", "value": value},
        loader="trainer:load_model",
    )
    registry.promote("clicks_model", version.version, reason="a test")


def test_the_server_predicts_refuses_bad_rows_and_takes_each_new_champion(
    composed: Compose, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModelError, match="no model 'clicks_model' in"):
        client()
    rows = [{"age": 41, "device": "phone"}, {"age": None, "device": "?"}]
    for number in (1, 2):
        trained(composed, tmp_path, f"seed={number}")
        promote(store, f"run_00{number}", number)
        if number == 1:
            server = client()
        answer = server.post("/predict", json=rows)
        assert answer.status_code == 200
        expected = load_model(store / "runs" / f"run_00{number}").predict(rows).tolist()
        assert answer.json() == {"version": number, "predictions": expected}

    for wrong, message in (
        ([{"age": "old", "device": "phone"}], "column 'age' is used as numeric but holds 'old' in row 1"),
        ([{"device": "phone"}], "lacks columns the model was trained on: age"),
        ([{"age": 1, "device": ["phone"]}], "column 'device' holds lists"),
        ([], "a table is needed"),
    ):
        answer = server.post("/predict", json=wrong)
        assert answer.status_code == 422
        assert message in answer.json()["detail"]
    assert server.post("/predict", json={"age": 41}).status_code == 422
