"""A job runs the script in the surroundings that the script started with, and where it starts its sweep."""

import ast
import sys
from pathlib import Path

import pytest
from scripts import GUARDED, LAUNCH, call, logs, sweep, write_app

from sweeps.executor.local.main_script import guards
from sweeps.executor.local.slots import thread_variables
from sweeps.executor.local.surroundings import Surroundings

ONE = ("-m", "hydra/sweeper=podium", "hydra/launcher=podium", "x=1")
TAKES_ITS_OWN = """
import argparse, os, sys
MODE = sys.argv.pop(1)
parser = argparse.ArgumentParser()
parser.add_argument("--gpu", type=int)
ARGS, sys.argv[1:] = parser.parse_known_args(sys.argv[1:])
FIRST = "APP_STARTED" not in os.environ
os.environ["APP_STARTED"] = "1"
os.environ["APP_PATH"] = "/x:" + os.environ.get("APP_PATH", "")
sys.path.insert(0, "/of/the/app")
os.chdir("data")
HERE = os.path.basename(os.getcwd())
"""
SHOWS = """
    print(MODE, ARGS, FIRST, HERE, os.environ["APP_PATH"], os.environ["APP_STARTED"], os.environ.get("APP_LATER"))
    print(sys.path.count("/of/the/app"), sys.path[0], os.path.basename(os.getcwd()))
"""


def test_a_script_that_changes_its_arguments_folder_and_environment_finds_them_as_at_its_start(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "app"
    start = f"{GUARDED}    os.environ['APP_LATER'] = 'set'\n    main()\n"
    write_app(folder, top=TAKES_ITS_OWN, task=SHOWS, start=start)
    (folder / "data").mkdir()
    alone = call(folder, "app.py", "train", "--gpu", "3", "x=1")
    sweep(folder, "train", "--gpu", "3", *ONE)
    (log,) = folder.glob("data/experiments/sweeps/*/jobs/0/output.log")
    assert log.read_text() == alone
    assert "train Namespace(gpu=3) True data /x: 1 set" in alone


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["app.py", "x=1"], ["app.py", "x=1"]),
        (["-W", "error", "-Xdev", "-bB", "./app.py", "-m"], ["./app.py", "-m"]),
        (["-OO", "-Wignore", "--check-hash-based-pycs", "never", "app.py"], ["app.py"]),
        (["-c", "import app", "x=1"], None),
        (["-", "x=1"], None),
        (["other.py"], None),
        ([], None),
    ],
)
def test_the_first_arguments_come_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], expected: list[str] | None
) -> None:
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__file__", str(tmp_path / "app.py"), raising=False)
    monkeypatch.setattr(sys, "orig_argv", ["python", *command])
    begun, now = Surroundings.at_start(), Surroundings.now()
    if expected is None:
        assert begun == now
    else:
        assert (begun.argv, begun.folder) == (expected, str(tmp_path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("__name__ == '__main__'", True),
        ("'__main__' == __name__ and DEBUG", True),
        ("__name__ in ('__main__', '__mp_main__')", True),
        ("not __name__ != '__main__'", True),
        ("__name__ != '__main__'", False),
        ("not (__name__ == '__main__')", False),
        ("__name__ == '__main__' or DEBUG", None),
        ("name == '__main__'", None),
        ("__name__ == 'app'", None),
    ],
)
def test_a_guard_is_a_test_that_holds_only_in_a_program(text: str, expected: bool | None) -> None:
    assert guards(ast.parse(text, mode="eval").body) is expected


PLACES = {
    "with": "with tempfile.TemporaryDirectory() as TMP:\n    main()\n",
    "try and finally": "TMP = tempfile.mkdtemp()\ntry:\n    main()\nfinally:\n    shutil.rmtree(TMP)\n",
    "a guard in try": f"TMP = tempfile.mkdtemp()\ntry:\n    {GUARDED}        main()\nfinally:\n    shutil.rmtree(TMP)\n",
    "a bare except": "TMP = tempfile.mkdtemp()\ntry:\n    main()\nexcept:\n    print('crashed')\n    sys.exit(3)\n",
    "a function": "def run():\n    global TMP\n    TMP = tempfile.mkdtemp()\n    main()\nrun()\n",
    "the other way round": "if __name__ != '__main__':\n    raise ImportError('run me')\nTMP = tempfile.mkdtemp()\nmain()\n",
    "a value": "IS_SCRIPT = __name__ == '__main__'\nTMP = tempfile.mkdtemp() if IS_SCRIPT else None\nif IS_SCRIPT: main()\n",
    "an else": f"{GUARDED}    main()\nelse:\n    raise ImportError('run me')\n",
}


@pytest.mark.parametrize("place", PLACES)
def test_the_jobs_run_where_the_script_starts_its_sweep(tmp_path: Path, place: str) -> None:
    task = "    print(TMP is None or os.path.isdir(TMP), cfg.x)\n"
    folder = tmp_path / "app"
    write_app(folder, top="import os, shutil, sys, tempfile\nTMP = None", task=task, start=PLACES[place])
    sweep(folder, *ONE)
    (log,) = folder.glob("experiments/sweeps/*/jobs/0/output.log")
    assert log.read_text() == "True 1\n"


CHANGES = """
import threading, random
from dataclasses import dataclass
from omegaconf import OmegaConf
import engine
from engine import OPTIONS
ARGS, SCALE, REGISTRY, NAMES, LOCK = None, 1, {"a": 1}, ["a"], threading.Lock()
SAME = REGISTRY
TOKEN, DRAWS = random.random(), random.Random()
class Settings:
    debug = False
class Small: pass
class Big: pass
MODEL = Small
OmegaConf.register_new_resolver("of", lambda: "module")

def setup():
    global SCALE
    SCALE = 5
    OPTIONS.verbose = True
    engine.switch_on()
    import late
    late.LEVELS.append(1)
"""
STARTS = f"""
{GUARDED}    import argparse
    ARGS = argparse.Namespace(gpu=3)
    REGISTRY["b"] = 2
    NAMES.append("b")
    Settings.debug = True
    MODEL = Big
    OmegaConf.register_new_resolver("of", lambda: "guard", replace=True)
    DRAWS.random()
    setup()
    main()
"""
TELLS = """
    print(ARGS, SCALE, REGISTRY, SAME is REGISTRY, NAMES, Settings.debug, MODEL.__name__, type(MODEL()) is Big)
    print(OmegaConf.create({"a": "${of:}"}).a, engine.OPTIONS, engine.IS_ON, LOCK.locked())
    import late
    print(late.LEVELS)
    print("#", TOKEN, DRAWS.random())
"""
ENGINE = """
import argparse
OPTIONS, IS_ON = argparse.Namespace(verbose=False), False
def switch_on():
    global IS_ON
    IS_ON = True
"""


def test_what_a_script_changes_where_it_starts_its_sweep_is_changed_in_jobs_too(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    write_app(folder, top=CHANGES, task=TELLS, start=STARTS)
    (folder / "engine.py").write_text(ENGINE)
    (folder / "late.py").write_text("LEVELS = [0]\n")
    alone = call(folder, "app.py").splitlines()
    sweep(folder, *LAUNCH)
    first, second = (log.splitlines() for log in logs(folder))
    assert first[:-1] == second[:-1] == alone[:-1]
    assert len({alone[-1], first[-1], second[-1]}) == 3  # what nothing touches, each process draws anew


@pytest.mark.parametrize("guard", [GUARDED, "if True:\n"], ids=["guarded", "unguarded"])
def test_each_sweep_of_one_program_has_its_own_variables(tmp_path: Path, guard: str) -> None:
    folder = tmp_path / "app"
    start = f"{guard}    for DATA in ['a', 'b', 'c']:\n        main()\n"
    write_app(folder, task="    print(DATA)\n", start=start)
    sweep(folder, *ONE)
    logs = sorted(folder.glob("experiments/sweeps/*/jobs/0/output.log"), key=lambda log: log.stat().st_mtime)
    assert [log.read_text() for log in logs] == ["a\n", "b\n", "c\n"]


def test_a_program_from_standard_input_pickles_its_own_classes(tmp_path: Path) -> None:
    task = "    import pickle\n    print(type(pickle.loads(pickle.dumps(Net()))) is Net, __name__)\n"
    script = write_app(tmp_path / "app", top="class Net: pass", task=task)
    with script.open() as stdin:
        call(tmp_path / "app", "-", *LAUNCH, stdin=stdin)
    assert logs(tmp_path / "app") == ["True __main__\n"] * 2


def test_a_reused_process_runs_again_the_script_that_seeds_and_opens_the_input_that_a_job_closed(
    tmp_path: Path,
) -> None:
    top = "import os, random, sys\nrandom.seed(1)"
    task = "    print(random.random(), sys.stdin.read() == '')\n    sys.stdin.close()\n    os.close(0)\n"
    folder = tmp_path / "app"
    write_app(folder, top=top, task=task)
    alone = call(folder, "app.py")
    sweep(folder, *LAUNCH, "hydra.launcher.isolation=reuse", "hydra.launcher.n_jobs=1")
    assert logs(folder) == [alone, alone]


def test_stdout_may_be_any_object_that_writes_and_flushes(tmp_path: Path) -> None:
    tee = "class Tee:\n    def write(self, text): return sys.__stdout__.write(text)\n    def flush(self): pass\n"
    folder = tmp_path / "app"
    write_app(folder, top=f"import sys\n{tee}sys.stdout = Tee()", task="    print('trained')\n")
    assert "2 jobs" in sweep(folder, *LAUNCH)


@pytest.mark.parametrize(
    ("set_by_user", "expected"),
    [
        ({}, {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}),
        ({"OMP_NUM_THREADS": "1"}, {"MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}),
        ({"OMP_NUM_THREADS": "4,2"}, {"MKL_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"}),
        ({"MKL_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}),
    ],
)
def test_a_limit_of_threads_that_the_user_sets_holds_for_all_libraries(
    monkeypatch: pytest.MonkeyPatch, set_by_user: dict[str, str], expected: dict[str, str]
) -> None:
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR"):
        monkeypatch.delenv(f"{name}_NUM_THREADS", raising=False)
    for name, value in set_by_user.items():
        monkeypatch.setenv(name, value)
    found = thread_variables(2, replaces=False)
    assert {name: value for name, value in found.items() if name != "NUMEXPR_NUM_THREADS"} == expected
