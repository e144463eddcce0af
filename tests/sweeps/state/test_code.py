"""Which files are the code of a sweep, and that looking at them is bounded."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType

import pytest
from omegaconf import DictConfig, OmegaConf

from sweeps.executor import code_watch
from sweeps.executor.code_watch import CodeWatch
from sweeps.plan.plan import Plan
from sweeps.state.code import MEANWHILE, MOST_FILES, changed_in, code_root, code_state, hash_of, late_state

FIRST: DictConfig = OmegaConf.create({"hydra": {"job": {"num": 0}}})


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[str, str], object]]:
    """Write a module below an empty folder and import it; forget all of them afterwards."""
    before, root = set(sys.modules), tmp_path / "app"
    sys.path.insert(0, str(root))

    def load(name: str, text: str | None = "def main(cfg): ...\n") -> object:
        if text is not None:
            write(root, name, text)
        invalidate_caches()
        return import_module(name)

    yield load
    sys.path.remove(str(root))
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what was loaded before, as a new process would."""
    monkeypatch.setattr(code_watch, "_loaded", {})


def write(root: Path, name: str, text: str = "") -> Path:
    file = root / (name.replace(".", "/") + ".py")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_the_code_of_a_script_is_what_it_has_loaded_and_what_lies_beside_it(
    load: Callable, tmp_path: Path
) -> None:
    root = tmp_path / "app"
    for name in ("later", "part.deep.later", "env.lib.x", "site-packages.x"):
        write(root, name)
    write(root / ".venv", "x")
    (root / "env" / "pyvenv.cfg").touch()
    load("lib")
    task = load("script").main
    assert code_root(task) == root
    known = code_state(task)
    assert known == {name: hash_of(root / name) for name in ("lib.py", "script.py")}
    assert set(late_state(task, known)) == {"later.py", "part/deep/later.py"}


def test_the_code_of_a_package_is_all_of_it(load: Callable, tmp_path: Path) -> None:
    root = tmp_path / "app"
    for name in ("pkg.__init__", "pkg.part.__init__", "pkg.part.later", "beside"):
        write(root, name)
    task = load("pkg.part.main").main
    assert code_root(task) == root
    assert set(code_state(task)) == {
        "pkg/__init__.py",
        *(f"pkg/part/{n}.py" for n in ("__init__", "later", "main")),
    }
    assert late_state(task, {}) == {}


def test_a_task_without_a_file_has_no_code() -> None:
    space: dict = {}
    exec("def main(cfg): ...", space)
    assert (code_root(space["main"]), code_state(space["main"]), late_state(space["main"], {})) == (
        None,
        None,
        {},
    )


def test_no_more_is_looked_at_than_a_limit_allows(load: Callable, tmp_path: Path) -> None:
    root = tmp_path / "app"
    for number in range(MOST_FILES + 50):
        write(root, f"lib.m{number}")
    task = load("script").main
    assert len(late_state(task, {})) == MOST_FILES


def plan_of(folder: Path, task: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    code = code_state(task)
    objective = {"metric": None, "mode": "max", "at": "best"}
    plan = Plan(folder.name, "2026-01-31T09:30:00+00:00", (), (), objective, None, 1)
    replace(plan, code=code, late_code=late_state(task, code or {})).save(folder / "plan.json")


@pytest.fixture
def job(tmp_path: Path, load: Callable) -> Callable[..., dict[str, str]]:
    """Begin a sweep whose script has loaded lib.py and may load late.py, and run a job as another process would."""
    root, sweep = tmp_path / "app", tmp_path / "sweep"
    lib, late = write(root, "lib", "X = 1\n"), write(root, "late", "X = 1\n")
    load("lib", "X = 1\n")
    task = load("script").main
    watch = CodeWatch(sweep, root)
    plan_of(sweep, task)
    (sweep / "jobs" / "0").mkdir(parents=True)

    def job(*, before: str = "", during: str = "", loads: bool = True) -> dict[str, str]:
        code_watch._loaded.clear()
        code_watch._looked_at.clear()
        edit(lib, late, before)
        watch.on_job_start(FIRST)
        edit(lib, late, during)
        if loads:
            load("late", None)
        watch.on_job_end(FIRST, None)
        return changed_in(sweep, 0)

    return job


def edit(lib: Path, late: Path, which: str) -> None:
    time.sleep(0.02)  # the clock of a file system may be coarse
    if which:
        file = {"lib": lib, "late": late}[which.removeprefix("touch ")]
        text = file.read_text()
        file.write_text(text if which.startswith("touch") else text + "# edited\n")


@pytest.mark.parametrize(
    ("edits", "changed"),
    [
        ({}, {}),
        ({"before": "lib"}, {"lib.py"}),
        ({"before": "late"}, {"late.py"}),
        ({"before": "late", "loads": False}, set()),
        ({"before": "touch lib"}, set()),
        ({"before": "touch late"}, set()),
        ({"during": "lib"}, set()),
        ({"during": "touch late"}, set()),
    ],
)
def test_a_job_names_the_files_that_it_ran_and_that_had_changed(
    job: Callable, tmp_path: Path, edits: dict, changed: set[str]
) -> None:
    assert job(**edits) == {name: hash_of(tmp_path / "app" / name) for name in changed}


def test_a_file_that_changed_between_the_start_of_a_job_and_its_import_is_either_version(
    job: Callable,
) -> None:
    assert job(during="late") == {"late.py": MEANWHILE}


def test_what_an_earlier_attempt_left_does_not_count(job: Callable, tmp_path: Path) -> None:
    assert job(before="lib")
    file = tmp_path / "app" / "lib.py"
    file.write_text("X = 1\n")
    assert job() == {}


def test_a_look_reads_no_file_that_did_not_change(
    load: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, sweep = tmp_path / "app", tmp_path / "sweep"
    load("pkg.__init__", "")
    for number in range(500):
        load(f"pkg.m{number}", "")
    task = load("pkg.main").main
    time.sleep(0.02)
    watch = CodeWatch(sweep, root)
    plan_of(sweep, task)
    code_watch._loaded.clear()
    code_watch._looked_at.clear()
    monkeypatch.setattr(Path, "read_bytes", _refuse)
    stats: list[object] = []
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **options: stats.append(path) or stat(path, **options))
    watch.on_job_start(FIRST)
    assert len(stats) == 502
    watch.on_job_end(FIRST, None)
    watch.on_job_start(FIRST)  # the next job of the same process
    watch.on_job_end(FIRST, None)
    assert len(stats) == 502
    assert not (sweep / "jobs").exists()


def _refuse(path: Path) -> bytes:
    raise AssertionError(f"{path} was read")


def test_a_lazy_module_is_not_loaded_by_looking(job: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    assert job() == {}
