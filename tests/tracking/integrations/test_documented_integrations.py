"""The snippets of the guide to integrations run, each in a section about its framework, and log what the guide says."""

import importlib.util
import re
from pathlib import Path

import pytest
from trained import ROOT, run_script

from tracking import ExperimentTracker

PAGE = (ROOT / "docs" / "integrations.md").read_text()
METRIC = {  # of the snippet in each section
    "Which run is logged into": ("xgboost", "test_accuracy"),
    "Lightning": ("lightning", "val/loss"),
    "Hugging Face": ("transformers", "eval_loss"),
    "Keras": ("keras", "val_loss"),
    "XGBoost": ("xgboost", "train/auc"),
    "LightGBM": ("lightgbm", "valid/auc"),
    "scikit-learn": ("sklearn", "mean_test_score"),
}


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.slow
@pytest.mark.parametrize("title", METRIC)
def test_the_snippet_of_a_section_logs_completed_runs(title: str, tmp_path: Path) -> None:
    module, metric = METRIC[title]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed; make test-integrations has it")
    (snippet,) = re.findall(r"^```python\n(.*?)^```", section(title), re.DOTALL | re.MULTILINE)
    answer = run_script(snippet, tmp_path, KERAS_BACKEND="torch")
    assert answer.returncode == 0, answer.stderr
    runs = list(ExperimentTracker(tmp_path / "experiments").records())
    assert runs
    assert all(
        run.experiment_name == "demo" and run.status.value == "completed" and metric in run.summary
        for run in runs
    )


def test_every_integration_has_a_section_or_its_own_page() -> None:
    elsewhere = {
        "__init__",
        "fitting",
        "hydra",
        "live",
        "summary_writer",
        "training",
    }  # docs/sweeps.md and docs/tracking.md
    modules = {path.stem for path in (ROOT / "tracking" / "integrations").glob("*.py")} - elsewhere
    assert {name for name in modules if f"tracking.integrations.{name} " not in PAGE} == set()
