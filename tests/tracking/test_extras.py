"""A library that is not installed is one sentence that names the extra, before anything is done."""

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Say

import sweeps
import trainer
from hydra_plugins.podium.sweeper import PodiumSweeper
from sweeps.cli import app as sweeps_app
from tracking import ExperimentTracker, MissingExtraError, ModelLoadError, ModelRegistry, TrackingError
from tracking.extras import EXTRAS, require

ROOT = Path(__file__).parents[2]
MODULES = {
    "hydra-core": "hydra",
    "mlflow-skinny": "mlflow",
    "scikit-learn": "sklearn",
}  # where the distribution has another name


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make libraries as if they were not installed."""

    def without(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return without


def declared(extra: str) -> Iterator[str]:
    """Yield the modules that pip installs for an extra."""
    for need in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][
        extra
    ]:
        name = re.split(r"[\[>=<]", need)[0]
        if name == "podium":
            yield from (each for inner in need[7:].rstrip("]").split(",") for each in declared(inner))
        else:
            yield MODULES.get(name, name)


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_code_knows_what_each_extra_installs(extra: str) -> None:
    assert set(EXTRAS[extra]) == set(declared(extra))


def test_all_is_every_extra_and_the_checkouts_environment_all_but_mlflow_and_ray() -> None:
    every = {name for names in EXTRAS.values() for name in names}
    assert set(declared("all")) == every
    assert every - set(declared("dev")) == {*EXTRAS["mlflow"], "ray"}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports when it runs, and not for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            yield from imported(node)


@pytest.mark.parametrize(
    ("package", "gates"),
    [
        (
            "tracking",
            {
                "plots": "sheet",
                "integrations": "",
                "statistics": "the gate",
                "gate": "Gate.judge",
                "rerun": "the app",
            },
        ),  # a picture has a Look; Hydra imports the other
        ("hydra_plugins", {"podium": "packages"}),
    ],
)
def test_no_module_imports_an_optional_library_behind_the_gates_back(
    package: str, gates: dict[str, str]
) -> None:
    optional = {name for names in EXTRAS.values() for name in names}
    for path in (ROOT / package).rglob("*.py"):
        text = path.read_text()
        names = set(imported(ast.parse(text)))
        needs = {name.partition(".")[0] for name in names} & optional
        room = path.relative_to(ROOT / package).parts[0]
        assert not needs or room in gates or "require(" in text, f"{path} imports {needs}"


def test_the_sentence_names_what_is_missing_and_the_extra(without: Callable[..., None]) -> None:
    without("pandas", "torch", "sklearn")
    with pytest.raises(
        MissingExtraError, match=r'^pandas is not installed; pip install "podium\[frames\]" installs it$'
    ):
        require("frames")
    sentence = r'^pandas, sklearn, torch are not installed; pip install "podium\[trainer\]" installs them$'
    with pytest.raises(ImportError, match=sentence) as caught:
        require("trainer")
    assert isinstance(caught.value, TrackingError)
    require("sweeps")


def test_a_folder_of_the_same_name_is_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "plots", ("configs_of_mine",))
    (tmp_path / "configs_of_mine").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match="configs_of_mine is not installed"):
        require("plots")


def test_a_comparison_as_a_frame_needs_pandas(
    tracker: ExperimentTracker, without: Callable[..., None]
) -> None:
    without("pandas")
    with pytest.raises(MissingExtraError, match=r"podium\[frames\]"):
        tracker.compare_runs([tracker.create_run("x")])


def test_commands_that_need_a_library_say_so_and_write_nothing(
    store: Path, say: Say, without: Callable[..., None], tmp_path: Path
) -> None:
    without("matplotlib", "pyarrow", "pandas")
    sentence = 'tracking: {} is not installed; pip install "podium[{}]" installs it\n'
    assert say("plot", "ctr_model", "val_auc") == (1, "", sentence.format("matplotlib", "plots"))
    table = tmp_path / "new" / "runs.parquet"
    assert say("export", "--output", str(table)) == (1, "", sentence.format("pyarrow", "parquet"))
    assert not table.parent.exists()
    assert not list(store.glob("*.png"))
    for command in (
        ["list"],
        ["compare", "ctr_model"],
        ["best", "ctr_model"],
        ["show", "run_001"],
        ["export"],
    ):
        assert say(*command)[::2] == (0, "")


def test_sweeps_need_hydra_on_the_command_line_and_in_python(
    without: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    without("hydra", "cloudpickle")
    sentence = 'hydra, cloudpickle are not installed; pip install "podium[sweeps]" installs them'
    assert sweeps_app.main(["list"]) == 1
    assert capsys.readouterr().err == f"sweeps: {sentence}\n"
    with pytest.raises(MissingExtraError, match=r"podium\[sweeps\]"):
        _ = sweeps.aggregate


@pytest.mark.parametrize("full", ["0", "1"])
def test_an_app_of_hydra_that_chose_the_sweeper_learns_what_is_missing(
    without: Callable[..., None], monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    without("joblib")  # as where the tracker alone stands beside a Hydra of the user's
    monkeypatch.setenv("HYDRA_FULL_ERROR", full)
    with pytest.raises(
        (SystemExit, Exception), match=r'^joblib is not installed; pip install "podium\[sweeps\]"'
    ):
        PodiumSweeper().sweep([])


def test_loading_a_model_of_the_trainer_needs_the_trainer(
    models: ModelRegistry, without: Callable[..., None]
) -> None:
    without("sklearn", "torch")
    vars(trainer).pop("load_model", None)
    with pytest.raises(
        ModelLoadError, match=r'sklearn, torch are not installed; pip install "podium\[trainer\]"'
    ):
        models.load("ctr")
