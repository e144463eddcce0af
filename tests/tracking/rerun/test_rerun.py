"""A script is run again from its commit, its changes and its data, and its points are compared."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rerun_project import commit, content, git, run

from tracking import ExperimentTracker
from tracking.errors import RerunError
from tracking.rerun import Likeness, last_rerun, rerun, results_of
from tracking.store.store import Store

ARGUMENTS = ("train.py", "0.5", "--seed", "3")


def test_a_run_is_made_again_to_the_last_digit(repo: Path, store: Path, own_folders: Path) -> None:
    run(repo, *ARGUMENTS)
    before = content(repo)

    result = rerun("run_001", store)

    assert (result.verdict, result.points, result.environment) == (Likeness.IDENTICAL, 3, {})
    assert result.sentence == "run_002 repeats run_001 to the last digit: 3 points"
    assert result.is_reproduced
    assert content(repo) == before
    assert git(repo, "worktree", "list").count("\n") == 0
    assert list(own_folders.iterdir()) == []


def test_the_result_stays_with_the_first_run_and_the_new_one_has_no_rank(repo: Path, store: Path) -> None:
    run(repo, *ARGUMENTS)

    results = [rerun("run_001", store) for _ in range(2)]

    assert results_of(Store(store).paths.run("run_001")) == results
    assert last_rerun("run_001", store) == results[1]
    assert last_rerun("run_002", store) is None
    tracker = ExperimentTracker(store)
    again = tracker.record("run_002")
    assert again is not None
    assert (again.rerun_of, again.sweep, again.has_rank) == ("run_001", None, False)
    best = tracker.get_best_run("loss", mode="min")
    assert best is not None
    assert best["run_id"] == "run_001"


def test_the_commit_of_the_run_is_used_and_not_the_present_code(repo: Path, store: Path) -> None:
    run(repo, *ARGUMENTS)
    (repo / "steps.py").write_text("scale = 7.0\n")
    commit(repo)
    (repo / "steps.py").write_text("raise ValueError('of today')\n")

    assert rerun("run_001", store).verdict is Likeness.IDENTICAL
    assert (repo / "steps.py").read_text() == "raise ValueError('of today')\n"


def test_changes_and_new_modules_are_part_of_the_code(repo: Path, store: Path) -> None:
    (repo / "steps.py").write_text("from more import scale\n")
    (repo / "more.py").write_text("scale = 3.0\n")
    run(repo, *ARGUMENTS)
    git(repo, "checkout", "-q", "steps.py")
    (repo / "more.py").unlink()

    assert rerun("run_001", store).verdict is Likeness.IDENTICAL


def test_a_module_that_is_newer_than_the_run_is_not_found(repo: Path, store: Path) -> None:
    (repo / "steps.py").write_text("try:\n    from more import scale\nexcept ImportError:\n    scale = 1.0\n")
    commit(repo)
    run(repo, *ARGUMENTS)
    (repo / "more.py").write_text("scale = 9.0\n")

    assert rerun("run_001", store).verdict is Likeness.IDENTICAL


def test_data_that_changed_is_named_first(repo: Path, store: Path) -> None:
    run(repo, *ARGUMENTS)
    (repo / "data/rows.csv").write_text("1,2\n3,4\n5,6\n")

    result = rerun("run_001", store, seeds=2)

    assert result.verdict is Likeness.DIFFERENT
    assert result.sentence.startswith("run_002 differs from run_001: the data changed; loss is ")
    assert result.data[0] != result.data[1]
    assert result.noise is None, "no seed explains other data"


def test_a_program_that_writes_into_its_data_changes_only_its_copy(repo: Path, store: Path) -> None:
    with (repo / "train.py").open("a") as file:
        file.write("Path('data/rows.csv').write_text('spoilt')\nPath('out.txt').write_text('new')\n")
    commit(repo)
    run(repo, *ARGUMENTS)
    (repo / "data/rows.csv").write_text("1,2\n3,4\n")
    (repo / "out.txt").unlink()

    assert rerun("run_001", store).verdict is Likeness.IDENTICAL
    assert (repo / "data/rows.csv").read_text() == "1,2\n3,4\n"
    assert not (repo / "out.txt").exists()


def test_a_commit_that_is_gone_is_an_error_that_says_what_to_do(repo: Path, store: Path) -> None:
    run(repo, *ARGUMENTS)
    lost = git(repo, "rev-parse", "HEAD")
    git(repo, "commit", "-q", "--amend", "-m", "another")
    git(repo, "reflog", "expire", "--expire=now", "--all")
    git(repo, "gc", "-q", "--prune=now")

    with pytest.raises(RerunError, match=f"the commit {lost[:12]} is not in .*--here"):
        rerun("run_001", store)
    assert ExperimentTracker(store).record("run_002") is None


def test_a_patch_that_does_not_apply_is_an_error(repo: Path, store: Path) -> None:
    (repo / "steps.py").write_text("scale = 2.0\n")
    run(repo, *ARGUMENTS)
    patch = store / "runs/run_001/git.patch"
    patch.write_text(patch.read_text().replace("-scale = 1.0", "-scale = 8.0"))

    with pytest.raises(RerunError, match=r"git\.patch of the run does not apply to its commit"):
        rerun("run_001", store)


def test_a_repository_may_have_moved(repo: Path, store: Path, tmp_path: Path) -> None:
    run(repo, *ARGUMENTS)
    moved = tmp_path / "moved"
    shutil.copytree(repo, moved)
    shutil.rmtree(repo)

    with pytest.raises(RerunError, match=r"there is no repository .*--repository"):
        rerun("run_001", moved / "experiments")
    result = rerun("run_001", moved / "experiments", repository=moved)
    assert result.verdict is Likeness.IDENTICAL
    again = ExperimentTracker(moved / "experiments").record(result.new_run)
    assert again is not None
    assert again.rerun_of == "run_001"


def test_without_a_repository_the_present_code_runs_on_request(repo: Path, store: Path) -> None:
    shutil.rmtree(repo / ".git")
    run(repo, *ARGUMENTS)

    with pytest.raises(RerunError, match="in no git repository; --here runs the present code"):
        rerun("run_001", store)
    result = rerun("run_001", store, here=True)
    assert result.verdict is Likeness.IDENTICAL
    assert result.code == ("the present code ran, which is in no git repository",)


def test_the_present_code_is_named_with_both_commits(repo: Path, store: Path) -> None:
    run(repo, *ARGUMENTS)
    then = git(repo, "rev-parse", "HEAD")
    (repo / "steps.py").write_text("scale = 7.0\n")
    commit(repo)

    result = rerun("run_001", store, here=True)

    assert result.verdict is Likeness.DIFFERENT
    assert then[:12] in result.code[0]
    assert git(repo, "rev-parse", "HEAD")[:12] in result.code[0]


@pytest.mark.parametrize("form", ["path", "finder"])
def test_an_editable_install_of_the_project_does_not_win(repo: Path, store: Path, form: str) -> None:
    """The user's environment imports the project from the working tree, in both forms that installers use."""
    (repo / "src/project").mkdir(parents=True)
    (repo / "src/project/__init__.py").write_text("scale = 1.0\n")
    (repo / "steps.py").write_text("from project import scale\n")
    commit(repo)
    site = repo.parent / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(site)], check=True)
    packages = next(site.glob("lib/python*/site-packages"))
    entries = [each for each in sys.path if each]
    if form == "path":
        entries.append(str(repo / "src"))
    else:
        (packages / "__editable___project_finder.py").write_text(
            "import importlib.util, sys\n"
            f"MAPPING = {{'project': {str(repo / 'src/project')!r}}}\n"
            "class Finder:\n"
            "    @classmethod\n"
            "    def find_spec(cls, name, path=None, target=None):\n"
            "        if name in MAPPING:\n"
            "            return importlib.util.spec_from_file_location(name, MAPPING[name] + '/__init__.py')\n"
            "def install():\n    sys.meta_path.append(Finder)\n"
        )
        entries.append("import __editable___project_finder as f; f.install()")
    (packages / "own.pth").write_text("\n".join(entries) + "\n")
    subprocess.run([site / "bin/python", *ARGUMENTS], cwd=repo, check=True)
    (repo / "src/project/__init__.py").write_text("scale = 7.0\n")

    result = rerun("run_001", store)

    assert (result.verdict, result.code) == (Likeness.IDENTICAL, ())


def test_a_run_with_code_of_the_working_tree_is_refused(repo: Path, store: Path) -> None:
    (repo / "steps.py").write_text(
        f"import importlib.util\nspec = importlib.util.spec_from_file_location('own', {str(repo / 'own.py')!r})\n"
        "own = importlib.util.module_from_spec(spec)\nimport sys\nsys.modules['own'] = own\n"
        "spec.loader.exec_module(own)\nscale = own.scale\n"
    )
    (repo / "own.py").write_text("scale = 1.0\n")
    commit(repo)
    run(repo, *ARGUMENTS)

    with pytest.raises(RerunError, match=r"other code than its commit: .*own\.py was imported"):
        rerun("run_001", store)
    assert last_rerun("run_001", store) is None


def test_what_differs_in_the_environment_is_named(repo: Path, store: Path) -> None:
    run(repo, *ARGUMENTS)
    path = store / "runs/run_001/env.json"
    env = json.loads(path.read_text())
    env["packages"]["numpy"] = "1.0"
    env["packages"]["gone"] = "2.0"
    env["python"] = "3.9.1"
    path.write_text(json.dumps(env))

    result = rerun("run_001", store)

    assert result.verdict is Likeness.IDENTICAL
    assert {"python", "packages.numpy", "packages.gone"} == set(result.environment)
    assert result.environment["packages.gone"] == ("2.0", None)


def test_variables_that_change_a_computation_are_set_as_they_were(repo: Path, store: Path) -> None:
    with (repo / "train.py").open("a") as file:
        file.write(
            "    import os\n    run.log({'hash': hash('a') % 1000, 'threads': int(os.environ['OMP_NUM_THREADS'])})\n"
        )
    commit(repo)
    env = {**os.environ, "PYTHONHASHSEED": "5", "OMP_NUM_THREADS": "3"}
    subprocess.run([sys.executable, *ARGUMENTS], cwd=repo, env=env, check=True)

    result = rerun("run_001", store)

    assert (result.verdict, result.points) == (Likeness.IDENTICAL, 5)


def test_a_secret_of_the_command_is_given_again_by_a_variable(
    repo: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (repo / "train.py").open("a") as file:
        file.write("    run.log({'length': len(sys.argv[-1])})\n")
    commit(repo)
    run(repo, *ARGUMENTS, "--api-key", "hunter2hunter2")

    with pytest.raises(RerunError, match=r"hides a secret, which has to be given again: .*API_KEY"):
        rerun("run_001", store)
    monkeypatch.setenv("API_KEY", "hunter2hunter2")
    assert rerun("run_001", store).verdict is Likeness.IDENTICAL


def test_submodules_are_checked_out_from_the_working_tree(repo: Path, store: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "inner.py").write_text("scale = 4.0\n")
    git(library, "init", "-q", "-b", "main")
    commit(library)
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "library")
    (repo / "steps.py").write_text("from library.inner import scale\n")
    commit(repo)
    run(repo, *ARGUMENTS)
    (repo / "library/inner.py").write_text("scale = 9.0\n")

    assert rerun("run_001", store).verdict is Likeness.IDENTICAL


def test_code_of_another_repository_is_checked_out_too(repo: Path, store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "shared_steps.py").write_text("scale = 4.0\n")
    git(other, "init", "-q", "-b", "main")
    commit(other)
    (repo / "steps.py").write_text("from shared_steps import scale\n")
    commit(repo)
    env = {**os.environ, "PYTHONPATH": str(other)}
    subprocess.run([sys.executable, *ARGUMENTS], cwd=repo, env=env, check=True)
    (other / "shared_steps.py").write_text("scale = 9.0\n")

    assert rerun("run_001", store).verdict is Likeness.IDENTICAL


def test_modules_and_text_of_a_command_are_run_as_such(repo: Path, store: Path) -> None:
    (repo / "package").mkdir()
    (repo / "package/__init__.py").touch()
    (repo / "package/start.py").write_text("import sys\nsys.path.insert(0, '.')\nimport train\n")
    commit(repo)
    run(repo, "-X", "utf8", "-m", "package.start", "0.5", "--seed", "3")
    run(repo, "-c", "import train", "0.5", "--seed", "3")

    assert rerun("run_001", store).verdict is Likeness.IDENTICAL
    assert rerun("run_002", store).verdict is Likeness.IDENTICAL


def test_the_run_that_corresponds_is_found_among_several(repo: Path, store: Path) -> None:
    (repo / "several.py").write_text(
        "from tracking import ExperimentTracker\n"
        "for rate in (1, 2, 3):\n"
        "    with ExperimentTracker('experiments').start_run('numbers', params={'rate': rate}) as run:\n"
        "        run.log({'loss': rate})\n"
    )
    commit(repo)
    run(repo, "several.py")

    result = rerun("run_002", store)

    assert (result.verdict, result.new_run) == (Likeness.IDENTICAL, "run_005")
    tracker = ExperimentTracker(store)
    assert [(each := tracker.record(f"run_00{n}")) and each.rerun_of for n in (4, 5, 6)] == ["run_002"] * 3


def test_an_interpreter_that_ignores_the_checkout_is_refused(repo: Path, store: Path) -> None:
    (repo / "train.py").write_text("import sys\nsys.path.insert(0, '.')\n" + (repo / "train.py").read_text())
    commit(repo)
    run(repo, "-E", *ARGUMENTS)

    with pytest.raises(RerunError, match="options such as -I, -E and -S"):
        rerun("run_001", store)
