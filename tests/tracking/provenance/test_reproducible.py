"""A run is called reproducible only if git was asked exactly and for all of its code."""

import importlib
import json
import os
import py_compile
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tracking.provenance import code as code_module
from tracking.provenance.code import read_code
from tracking.provenance.imported import Imported, imported_code

Git_ = Callable[..., str]
pytestmark = pytest.mark.usefixtures("plain_git")


def change(folder: Path) -> None:
    (folder / "train.py").write_text("print('changed')\n")


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_DIR": "{other}/.git"},
        {"GIT_DIR": "{other}/.git", "GIT_WORK_TREE": "{other}"},
        {"GIT_INDEX_FILE": "{other}/.git/index"},
        {"GIT_WORK_TREE": "/"},
        {"GIT_OBJECT_DIRECTORY": "{other}/.git/objects"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.worktree", "GIT_CONFIG_VALUE_0": "{other}"},
        {"GIT_CONFIG_PARAMETERS": "'diff.ignoreSubmodules=all'"},
        {"GIT_CEILING_DIRECTORIES": "{repo}"},
        {"GIT_NAMESPACE": "x", "GIT_PREFIX": "x/"},
    ],
    ids=lambda each: " ".join(each),
)
def test_variables_of_the_caller_do_not_choose_the_repository(
    repo: Path, git: Git_, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    other = tmp_path / "other"
    git("init", "-q", str(other), cwd=tmp_path)
    (other / "x.py").touch()
    git("add", ".", cwd=other)
    git("commit", "-q", "-m", "other", cwd=other)
    expected = git("rev-parse", "HEAD")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(other=other, repo=repo))
    code = read_code(repo, repo)
    assert (code.commit, code.changed, code.untracked, code.why_not) == (expected, [], [], [])
    change(repo)
    assert read_code(repo, repo).changed == ["train.py"]


def test_a_damaged_repository_is_not_answered_for_by_one_around_it(repo: Path) -> None:
    (repo / "inner" / ".git").mkdir(parents=True)
    code = read_code(repo / "inner", repo / "inner")
    assert code.commit is None
    assert not code.content()["reproducible"]


def test_a_work_tree_elsewhere_is_not_the_code(repo: Path, git: Git_, tmp_path: Path) -> None:
    git("worktree", "add", "-q", "../clean")
    git("config", "core.worktree", str(tmp_path / "clean"))
    change(repo)
    assert read_code(repo, repo).changed == ["train.py"]


def test_a_replaced_commit_is_compared_with_itself(repo: Path, git: Git_) -> None:
    first = git("rev-parse", "HEAD")
    change(repo)
    git("commit", "-qam", "second")
    second = git("rev-parse", "HEAD")
    git("reset", "-q", "--soft", first)
    git("replace", first, second)
    code = read_code(repo, repo)
    assert (code.commit, code.changed) == (first, ["train.py"])


MARKS = {"assumed": "--assume-unchanged", "skipped": "--skip-worktree"}
marks = pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)


@marks
def test_a_file_that_git_does_not_look_at_is_looked_at(repo: Path, git: Git_, mark: str) -> None:
    git("update-index", mark, "train.py", "weights.bin")
    assert read_code(repo, repo).content()["reproducible"]
    change(repo)
    (repo / "weights.bin").chmod(0o755)
    code = read_code(repo, repo)
    assert code.commit is not None
    assert code.why_not == [
        f"{name} is not what the commit holds, and git is told not to look at it"
        for name in ("train.py", "weights.bin")
    ]


def test_a_sparse_checkout_is_its_commit_and_a_missing_assumed_file_is_not(repo: Path, git: Git_) -> None:
    git("update-index", "--skip-worktree", "weights.bin")
    (repo / "weights.bin").unlink()
    assert read_code(repo, repo).why_not == []
    git("update-index", "--assume-unchanged", "train.py")
    (repo / "train.py").unlink()
    assert len(read_code(repo, repo).why_not) == 1


@pytest.fixture
def nested(repo: Path, git: Git_, tmp_path: Path) -> Path:
    """A repository with the submodule `lib`, which has the submodule `inner`."""
    for name in ("inner", "lib"):
        git("clone", "-q", str(repo), str(tmp_path / name))
    add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(*add, str(tmp_path / "inner"), "inner", cwd=tmp_path / "lib")
    git("commit", "-q", "-m", "with inner", cwd=tmp_path / "lib")
    git(*add, str(tmp_path / "lib"), "lib")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    git("commit", "-q", "-m", "with lib")
    return repo


@pytest.mark.parametrize("place", ["lib", "lib/inner"])
@pytest.mark.parametrize("how", ["ignored", "--assume-unchanged", "--skip-worktree", "committed"])
def test_a_submodule_that_differs_is_named_however_it_is_hidden(
    nested: Path, git: Git_, place: str, how: str
) -> None:
    assert read_code(nested, nested).why_not == []
    change(nested / place)
    if how == "ignored":
        for folder, name in ((nested, "lib"), (nested / "lib", "inner")):
            git("config", f"submodule.{name}.ignore", "all", cwd=folder)
        git("config", "diff.ignoreSubmodules", "all")
    elif how == "committed":
        git("commit", "-qam", "another", cwd=nested / place)
    else:
        git("update-index", how, "train.py", cwd=nested / place)
    assert any("submodule" in reason for reason in read_code(nested, nested).why_not)


APP = """
import sys, os
{before}
from tracking import ExperimentTracker
with ExperimentTracker(sys.argv[1]).start_run("e", capture_output=False) as run:
    {inside}
"""


@pytest.fixture
def library(tmp_path: Path, git: Git_, repo: Path) -> Path:
    """A second repository, with a module `mylib`."""
    folder = tmp_path / "library"
    git("init", "-q", str(folder))
    (folder / "mylib.py").write_text("x = 1\n")
    git("add", ".", cwd=folder)
    git("commit", "-q", "-m", "lib", cwd=folder)
    return folder


@pytest.mark.parametrize("when", ["before", "inside"])
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("clean", None),
        ("changed", "code was imported from {library}: it has changes that are not kept (mylib.py)"),
        ("assumed", "code was imported from {library}: mylib.py is not what the commit holds"),
        ("untracked", "code was imported from {library}: mylib.py was imported, and git does not track it"),
        ("elsewhere", "{library}/mylib.py was imported and lies in no git repository"),
    ],
)
def test_code_that_was_imported_from_another_repository_counts(
    repo: Path, library: Path, git: Git_, tmp_path: Path, *, when: str, state: str, reason: str | None
) -> None:
    if state in ("changed", "assumed"):
        (library / "mylib.py").write_text("x = 2\n")
    if state == "assumed":
        git("update-index", "--assume-unchanged", "mylib.py", cwd=library)
    if state == "untracked":
        git("rm", "-q", "--cached", "mylib.py", cwd=library)
        git("commit", "-q", "--allow-empty", "-m", "none", cwd=library)
    if state == "elsewhere":
        (library / ".git").rename(tmp_path / "no longer")
    lines = {"before": "", "inside": "pass", when: "import mylib"}
    (repo / "train.py").write_text(APP.format(**lines))
    git("commit", "-qam", "app")
    environment = {**os.environ, "PYTHONPATH": f"{library}:{Path(code_module.__file__).parents[2]}"}
    subprocess.run(
        [sys.executable, "train.py", str(tmp_path / "store")], cwd=repo, env=environment, check=True
    )
    told = json.loads((tmp_path / "store" / "runs" / "run_001" / "git.json").read_text())
    assert told["commit"] == git("rev-parse", "HEAD")
    assert told["reproducible"] is (reason is None)
    if reason is None:
        (other,) = told["repositories"]
        assert (other["root"], other["commit"]) == (str(library), git("rev-parse", "HEAD", cwd=library))
    else:
        assert told["why_not"][0].startswith(reason.format(library=library))


def test_an_ignored_file_counts_if_it_was_imported(
    repo: Path, git: Git_, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / ".gitignore").write_text("local_*.py\n")
    git("add", ".gitignore")
    git("commit", "-q", "-m", "ignore")
    for name in ("local_one", "local_two", "new_three"):
        (repo / f"{name}.py").touch()
    (repo / "data.py").symlink_to("local_two.py")
    code = read_code(repo, repo)
    names = ("local_one.py", "new_three.py", "train.py")
    monkeypatch.setattr(code_module, "imported_code", lambda: Imported(((str(repo), names),), ()))
    found = code_module.also_imported(code)
    assert found.why_not == [*code.why_not, "local_one.py was imported, and git does not track it"]
    assert code_module.also_imported(code) is found


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-"], "python read the program from its standard input"),
        (["-i"], "an interactive session or a notebook started it, whose code is in no file of git"),
        (["-c", "{}"], None),
    ],
)
def test_a_program_that_is_in_no_file_is_not_called_reproducible(
    repo: Path, tmp_path: Path, arguments: list[str], reason: str | None
) -> None:
    program = f"""
from tracking import ExperimentTracker
ExperimentTracker({str(tmp_path / "store")!r}).start_run("e", capture_output=False).finish()
"""
    subprocess.run(
        [sys.executable, *(each.format(program) for each in arguments)],
        cwd=repo,
        env={**os.environ, "PYTHONPATH": str(Path(code_module.__file__).parents[2])},
        input=program,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads((tmp_path / "store" / "runs" / "run_001" / "git.json").read_text())
    assert (told["reproducible"], told["why_not"]) == (reason is None, [reason] if reason else [])


def test_a_module_without_source_and_a_link_out_of_the_repository_count_as_imported(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(repo)
    (tmp_path / "outside.py").write_text("x = 1\n")
    (repo / "linked_in_repo.py").symlink_to(tmp_path / "outside.py")
    (repo / "compiled_away.py").write_text("x = 1\n")
    py_compile.compile(str(repo / "compiled_away.py"), cfile=str(repo / "compiled_away.pyc"))
    (repo / "compiled_away.py").unlink()
    names = ("linked_in_repo", "compiled_away")
    try:
        for name in names:
            importlib.import_module(name)
        found = imported_code()
    finally:
        for name in names:
            sys.modules.pop(name, None)
    assert str(tmp_path / "outside.py") in found.homeless
    assert "compiled_away.pyc" in dict(found.repositories)[str(repo)]
