"""Modules of the user's beside the app that are named like podium's: it works, or one message names the file."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from hydra_plugins.podium import packages
from hydra_plugins.podium.packages import hidden
from tracking.files import read_json

APP = """{imports}
import hydra

@hydra.main(config_path="{path}", config_name="config", version_base="1.3")
def main(cfg):
    return float(cfg.x)

if __name__ == "__main__":
    main()
"""
PODIUM = ("hydra/sweeper=podium", "hydra/launcher=podium", "hydra.launcher.n_jobs=2")
SWEEP = ("-m", "x=1,2", *PODIUM)
WAYS = {
    "a sweep": SWEEP,
    "a tracked sweep": (*SWEEP, "hydra/callbacks=podium"),
    "our launcher alone": ("-m", "x=1,2", "hydra/launcher=podium"),
    "a tracked run": ("hydra/callbacks=podium",),
    "a run": (),
    "the stock sweeper": ("-m", "x=1,2"),
}
KINDS = {
    "a file": {"{name}.py": "VALUE = 1"},
    "a package": {"{name}/__init__.py": "VALUE = 1", "{name}/own.py": "VALUE = 1"},
    "a folder without __init__.py": {"{name}/own.py": "VALUE = 1"},
    "a folder of data": {"{name}/data.csv": "a,b"},
}


def make(folder: Path, files: Mapping[str, str], imports: str = "", path: str = ".") -> None:
    """Write an app with a config in the folder `path`, and other files."""
    app = APP.format(imports=imports, path=path)
    for name, content in {"app.py": app, f"{path}/config.yaml": "x: 1", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def run(folder: Path, *arguments: str, command: Iterable[str] = ("app.py",)) -> tuple[int, list[str], str]:
    """Run a command in a folder; its exit code, the lines of stderr, and stdout."""
    answer = subprocess.run(
        [sys.executable, *command, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HYDRA_FULL_ERROR": "0"},
    )
    return answer.returncode, answer.stderr.strip().splitlines(), answer.stdout


@pytest.mark.parametrize(
    ("name", "kind", "way"),
    [
        *(("tracking", "a file", way) for way in WAYS),
        *(("sweeps", "a package", way) for way in WAYS),
        ("tracking", "a package", "a tracked sweep"),
        ("sweeps", "a file", "a tracked sweep"),
    ],
)
def test_a_module_that_takes_the_place_of_ours_is_named_in_one_message(
    tmp_path: Path, name: str, kind: str, way: str
) -> None:
    make(
        tmp_path,
        {file.format(name=name): text for file, text in KINDS[kind].items()},
        f"from {name} import VALUE",
    )
    code, errors, _ = run(tmp_path, *WAYS[way])
    if way in {"a run", "the stock sweeper"} or (name == "sweeps" and way == "a tracked run"):
        assert (code, errors) == (0, [])
        return
    place = tmp_path / (f"{name}.py" if kind == "a file" else f"{name}/__init__.py")
    assert code == 1
    assert len(errors) <= 4
    assert errors[0] == (
        f"'{place}' takes the place of podium's package '{name}'; "
        f"rename that {'file' if kind == 'a file' else 'folder'}, also where your code imports it"
    )
    assert not (tmp_path / "experiments").exists()


@pytest.mark.parametrize("kind", ["a folder without __init__.py", "a folder of data"])
def test_folders_that_are_no_packages_do_no_harm_and_their_modules_can_be_imported(
    tmp_path: Path, kind: str
) -> None:
    names = ("tracking", "sweeps", "trainer", "conf", "hydra_plugins")
    importable = names[:3] if kind == "a folder without __init__.py" else ()
    make(
        tmp_path,
        {file.format(name=name): text for name in names for file, text in KINDS[kind].items()},
        "".join(f"from {name}.own import VALUE\n" for name in importable),
    )
    for way in ("a run", "a tracked sweep"):
        code, errors, _ = run(tmp_path, *WAYS[way])
        assert (code, errors) == (0, []), way


@pytest.mark.parametrize("kind", ["a file", "a package"])
def test_a_trainer_of_the_users_is_theirs_alone(tmp_path: Path, kind: str) -> None:
    make(
        tmp_path,
        {file.format(name="trainer"): text for file, text in KINDS[kind].items()},
        "from trainer import VALUE",
    )
    for way in ("a run", "a tracked sweep", "our launcher alone"):
        code, errors, _ = run(tmp_path, *WAYS[way])
        assert (code, errors) == (0, []), way


@pytest.mark.parametrize("is_package", [True, False])
@pytest.mark.parametrize("way", ["a run", "a tracked sweep", "our launcher alone", "the stock sweeper"])
def test_the_configs_of_an_app_may_be_in_a_folder_called_conf(
    tmp_path: Path, way: str, is_package: bool
) -> None:
    files = {"conf/config.yaml": "defaults: [_self_, {data: small}]\nx: 1", "conf/data/small.yaml": "rows: 3"}
    make(tmp_path, {**files, **({"conf/__init__.py": ""} if is_package else {})}, path="conf")
    code, errors, _ = run(tmp_path, *WAYS[way])
    assert (code, errors) == (0, [])


@pytest.mark.parametrize("command", [("app.py",), ("-m", "pkg.app")])
def test_a_module_in_the_folder_of_the_command_is_named_too(tmp_path: Path, command: tuple[str, ...]) -> None:
    make(tmp_path, {"tracking.py": ""})
    (tmp_path / "pkg").mkdir()
    for name in ("app.py", "config.yaml"):
        (tmp_path / "pkg" / name).write_text((tmp_path / name).read_text())
    (tmp_path / "pkg" / "__init__.py").touch()
    code, errors, _ = run(tmp_path, *SWEEP, command=command)
    assert code == 1
    assert len(errors) == 1
    assert str(tmp_path / "tracking.py") in errors[0]


def test_a_module_within_a_package_of_the_users_is_another_module(tmp_path: Path) -> None:
    make(tmp_path, {"pkg/__init__.py": "", "pkg/tracking.py": "VALUE = 1"}, "from pkg.tracking import VALUE")
    code, errors, _ = run(tmp_path, *SWEEP)
    assert (code, errors) == (0, [])
    (board,) = tmp_path.glob("experiments/sweeps/*/leaderboard.json")
    assert [row["objective"] for row in read_json(board)["rows"]] == [2.0, 1.0]


def test_a_module_that_is_loaded_under_our_name_is_found_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert packages.hidden("tracking", "sweeps") is None
    place = tmp_path / "elsewhere" / "tracking.py"
    monkeypatch.setitem(sys.modules, "tracking", type(sys)("tracking"))
    monkeypatch.setattr(sys.modules["tracking"], "__file__", str(place), raising=False)
    assert f"'{place}' takes the place" in str(packages.hidden("sweeps", "tracking"))


def test_a_module_that_comes_first_on_the_path_is_found_although_ours_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sweeps.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert str(tmp_path / "sweeps.py") in str(packages.hidden("sweeps"))
    assert packages.hidden("tracking") is None


@pytest.mark.parametrize("command", ["sweeps list"])
@pytest.mark.parametrize("file", ["tracking.py", "tracking/__init__.py"])
def test_our_own_commands_name_a_module_that_hides_the_tracker(
    tmp_path: Path, command: str, file: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    code, errors, out = run(tmp_path, command=("-m", *command.split()))
    assert (code, out) == (1, "")
    assert len(errors) == 1
    assert str(tmp_path / file) in errors[0]


def test_the_trainer_sweeps_beside_modules_of_any_name_and_says_which_it_hides(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    for name in (
        "sweeps.py",
        "tracking/__init__.py",
        "conf/__init__.py",
        "hydra_plugins/own.py",
        "trainer/own.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "conf" / "config.yaml").write_text("lr: 1")
    quick = ("-m", "data.rows=500", "training.epochs=1", "training.learning_rate=1e-3,1e-2")
    code, errors, out = run(tmp_path, *quick, command=("-m", "trainer"))
    assert (code, len(errors)) == (0, 2)
    assert errors[0].startswith(
        f"warning: '{tmp_path / 'tracking' / '__init__.py'}' has the name of podium's package"
    )
    assert str(tmp_path / "sweeps.py") in errors[1]
    assert "2 jobs in" in out
    for command in ("inspect", "predict", "export"):
        assert run(tmp_path, "--help", command=("-m", f"trainer.{command}"))[:2] == (0, []), command


@pytest.mark.parametrize("file", ["hydra_plugins.py", "hydra_plugins/__init__.py"])
def test_the_trainer_names_a_module_that_hides_the_plug_ins_of_hydra(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    code, errors, out = run(tmp_path, command=("-m", "trainer"))
    assert (code, out, len(errors)) == (1, "", 1)
    assert errors[0].startswith(f"error: '{tmp_path / file}' takes the place of the folder")


def test_our_own_commands_run_beside_modules_that_they_do_not_need(tmp_path: Path) -> None:
    for name in ("sweeps", "trainer", "conf"):
        (tmp_path / f"{name}.py").touch()
    assert run(tmp_path, command=("-m", "tracking", "list"))[:2] == (0, [])
    (tmp_path / "sweeps.py").unlink()
    (tmp_path / "tracking").mkdir()
    assert run(tmp_path, command=("-m", "sweeps", "list"))[:2] == (0, [])


def test_an_app_that_chose_podium_for_its_sweeps_still_runs_alone(tmp_path: Path) -> None:
    config = "defaults:\n  - override hydra/sweeper: podium\n  - override hydra/launcher: podium\nx: 1"
    make(tmp_path, {"config.yaml": config, "sweeps.py": "", "tracking.py": ""})
    assert run(tmp_path)[:2] == (0, [])
    assert run(tmp_path, "-m", "x=1,2")[0] == 1


def test_an_app_that_does_not_use_podium_is_told_nothing_of_a_plug_in_of_ours_that_cannot_be_imported(
    tmp_path: Path,
) -> None:
    files = {"tracking.py": "raise RuntimeError('not yours')", "sweeps.py": "raise RuntimeError('not yours')"}
    make(tmp_path, files)
    for way in ("a run", "the stock sweeper"):
        code, errors, _ = run(tmp_path, *WAYS[way])
        assert (code, errors) == (0, [])


def test_a_checkout_of_podium_is_no_module_of_the_users(tmp_path: Path) -> None:
    for package in ("trainer", "sweeps", "tracking"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    assert "takes the place of podium's package 'trainer'" in str(hidden("trainer", path=[str(tmp_path)]))
    own = tmp_path / "hydra_plugins" / "podium"
    own.mkdir(parents=True)
    (own / "packages.py").touch()
    assert hidden("trainer", "sweeps", "tracking", path=[str(tmp_path)]) is None
