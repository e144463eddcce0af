"""The benchmark of tables runs on a tiny table, and its page says what was measured. No score is asserted."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.command import main
from benchmarks.tables import page
from benchmarks.tables.catalog import KNOWN, found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tables")
    draw = np.random.default_rng(0)
    x, kind = draw.normal(size=120), draw.choice(["a", "b"], 120)
    lines = [
        f"{a:.3f},{b},{int(a + draw.normal() > 0)},{a + draw.normal():.3f}"
        for a, b in zip(x, kind, strict=True)
    ]
    (made / "mine.csv").write_text("\n".join(["x,kind,bought,amount", *lines]) + "\n")
    return made


def test_each_contestant_has_a_score_and_what_is_known_is_not_measured_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "benchmarks.tables.runs.AXES", [("model.dropout=0", "model.dropout=0.1")]
    )  # two of 12 jobs
    file = tmp_path / "figures.json"
    chosen = ["--only", "none", "--also", "mine.csv=bought", "--seeds", "1", "--tiny"]
    words = ["tables", "--folder", str(folder), *chosen]
    assert main([*words, "--sweeps", "1", "--json", str(file)]) == 0
    results = json.loads(file.read_text())
    assert [each["who"] for each in results["scores"]] == list(page.WHO)
    assert all(0 <= each["test"] <= 1 for each in results["scores"])
    assert results["tables"]["mine"] == {"rows": [78, 18, 24], "task": "binary"}
    assert "| mine | 120 | AUC |" in capsys.readouterr().out
    before = file.read_text()
    assert main([*words, "--sweeps", "1", "--json", str(file)]) == 0
    assert file.read_text() == before


def test_a_regression_is_scored_by_r2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--only", "none", "--also", "mine.csv=amount", "--seeds", "1", "--sweeps", "0", "--tiny"]
    assert main(["tables", "--folder", str(folder), *words]) == 0
    assert "| mine | 120 | R2 |" in capsys.readouterr().out


def test_a_table_that_is_not_there_is_skipped_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(found([tmp_path], [], [])) == []
    assert capsys.readouterr().out.count("skipped") == len(KNOWN)


def test_without_a_folder_the_command_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PODIUM_TABLES", raising=False)
    with pytest.raises(SystemExit):
        main(["tables"])
    assert "--folder DIR, or set PODIUM_TABLES" in capsys.readouterr().err


def test_the_page_has_means_deviations_and_differences(tmp_path: Path) -> None:
    scores = [
        {
            "table": "t",
            "seed": seed,
            "who": who,
            "test": test + seed / 100,
            "val": 0.5,
            "seconds": 2.0,
            "settings": "",
        }
        for who, test in (
            (page.LINEAR, 0.7),
            (page.PERCEPTRON, 0.8),
            (page.TREES, 0.9),
            (page.DEFAULT, 0.795),
        )
        for seed in (0, 1)
    ]
    results = {
        "machine": {"date": "2026-01-01"},
        "tables": {"t": {"rows": [60, 20, 20], "task": "multiclass"}},
        "scores": scores,
    }
    page.write(results, tmp_path / "results.md")
    text = (tmp_path / "results.md").read_text()
    assert "| t | 100 | macro AUC | 0.7050 ± 0.0071 (2) |" in text
    assert "| -0.0050 |" in text
    assert page.SWEEP not in text.partition("## What")[0]  # which nobody measured
    assert "on 1 of 1 tables" in text
