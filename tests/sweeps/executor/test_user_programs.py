"""A job is the user's program: what a script sees and does alone, it sees and does in a job."""

import os
import signal
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest
from scripts import GUARDED, LAUNCH, call, events, logs, sweep, write_app

NAMES = """
    import inspect, logging, multiprocessing, threading, typing
    print(__name__, __file__, __spec__, __package__, __doc__, sys.argv[0], Net.__module__, task_like.__module__)
    print(sys.modules["__main__"].__dict__ is globals(), inspect.getsource(Net).splitlines()[0], LOG.name)
    print(typing.get_type_hints(Config), threading.active_count(), threading.current_thread().name)
    print(multiprocessing.current_process().name, multiprocessing.parent_process(), multiprocessing.get_start_method())
    print(sys.stdin.read() == "", sys.flags.dont_write_bytecode, Path.cwd(), next(IDS), next(IDS))
"""
OBJECTS = """
    import pickle
    from omegaconf import OmegaConf
    from hydra.utils import instantiate
    print(pickle.loads(pickle.dumps(Net())).value, pickle.dumps(Net()), type(pickle.loads(pickle.dumps(Colour.RED))))
    print(isinstance(instantiate({"_target_": "__main__.Net"}), Net), LOCK.locked(), HANDLE.closed, len(BIG))
    print(isinstance(OmegaConf.to_object(OmegaConf.structured(Config(1))), Config), SEEN, REGISTRY)
    sys.modules["__main__"].remember("key")
    print(SEEN, main.__wrapped__.__globals__ is globals())
"""
PROCESSES = """
    import multiprocessing
    print(multiprocessing.get_start_method())
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(square, [1, 2, 3]))
    try:
        multiprocessing.set_start_method("spawn")
    except RuntimeError as error:
        print(error)
"""
TOP = '''"""What the script is for."""
from __future__ import annotations
import enum, itertools, logging, sys, threading
from dataclasses import dataclass
from pathlib import Path
import hydra
LOG = logging.getLogger(__name__)
LOCK, BIG, HANDLE = threading.Lock(), bytearray(30_000_000), open(__file__)
SEEN, REGISTRY, IDS = {}, {}, itertools.count()

class Net:
    value = 5
    def __init_subclass__(cls): REGISTRY[cls.__module__ + "." + cls.__name__] = cls.value

class Wide(Net):
    pass

class Colour(enum.Enum):
    RED = 1

@dataclass
class Config:
    width: int = 3

def square(value): return value * value
def remember(key): SEEN[key] = True
def task_like(): return Net
'''


@pytest.mark.parametrize("task", [NAMES, OBJECTS, PROCESSES], ids=["names", "objects", "processes"])
def test_a_script_finds_in_a_job_what_it_finds_alone(tmp_path: Path, task: str) -> None:
    folder = tmp_path / "app"
    script = write_app(folder, task=task)
    script.write_text(f"{TOP}\n{script.read_text()}")
    alone = call(folder, "-W", "error::DeprecationWarning", "app.py")
    call(folder, "-W", "error::DeprecationWarning", "app.py", *LAUNCH)
    in_jobs = logs(folder)
    assert in_jobs == [alone, alone]


def test_what_only_the_start_of_a_script_sets_is_there_in_a_job(tmp_path: Path) -> None:
    start = """
class Late:
    pass
if __name__ == "__main__":
    import multiprocessing, threading
    from omegaconf import OmegaConf
    NAME, LATER = "set under the guard", [Late(), 5]
    class Guarded:
        value = NAME
    def shout(text): return text.upper() + NAME
    OmegaConf.register_new_resolver("shout", lambda text: shout(text))
    multiprocessing.set_start_method("spawn")
    print("started once")
    main()
"""
    task = """
    import multiprocessing
    from omegaconf import OmegaConf
    print(NAME, type(LATER[0]) is Late, LATER[1], Guarded().value, shout("a"), multiprocessing.get_start_method())
    print(OmegaConf.create({"text": "${shout:b}"}).text)
"""
    write_app(tmp_path, task=task, start=start)
    alone = call(tmp_path, "app.py").replace("started once\n", "")
    assert sweep(tmp_path, *LAUNCH).count("started once") == 1
    assert logs(tmp_path) == [alone, alone]


def test_a_name_that_cannot_be_there_is_explained(tmp_path: Path) -> None:
    start = f"{GUARDED}    import threading\n    LOCK = threading.Lock()\n    main()\n"
    write_app(tmp_path, task="    LOCK.acquire()\n", start=start)
    answer = subprocess.run(
        [sys.executable, "app.py", *LAUNCH], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    error = next(event for event in events(tmp_path) if event["event"] == "finished")["error"]
    assert error == (
        "NameError: name 'LOCK' is not defined: only the sweep's own process sets it, and it cannot be copied from "
        "there: TypeError: cannot pickle '_thread.lock' object"
    )


STARTS = {
    "a call": "main()\n",
    "a call under a guard in a try": f"{GUARDED}    try:\n        main()\n    except Exception:\n        raise\n",
    "an exit": "import sys\nsys.exit(main())\n",
    "an exit under a guard": f"import sys\n{GUARDED}    sys.exit(main())\n",
    "an alias": "run = main\nrun()\n",
    "a try": "try:\n    main()\nexcept Exception:\n    print('failed')\n    raise\n",
    "a function": "def start():\n    main()\nstart()\n",
    "a guard of another form": 'if __name__ in {"__main__"}:\n    main()\n',
    "a guard that is turned round": 'if "__main__" == __name__ and True:\n    main()\n',
    "a guard in a function": 'def is_main(): return __name__ == "__main__"\nif is_main():\n    main()\n',
    "an early return": 'import sys\nif __name__ != "__main__":\n    pass\nelse:\n    main()\n',
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_script_may_start_its_sweep_in_any_form(tmp_path: Path, start: str) -> None:
    write_app(tmp_path, task="    print('job', cfg.x)\n", start=start)
    sweep(tmp_path, *LAUNCH)
    assert logs(tmp_path) == ["job 1\n", "job 2\n"]
    assert len([event for event in events(tmp_path) if event["event"] == "began"]) == 1


def command_for(form: str, folder: Path) -> list[str]:
    """Lay out the same app in another form; return how to start it."""
    script = write_app(folder / "source", task="    print('job', cfg.x, __name__)\n")
    package = folder / "pkg"
    if form == "a file elsewhere":
        return [str(script)]
    if form == "a link":
        (folder / "link.py").symlink_to(script)
        return ["link.py"]
    if form == "a module of a package":
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "run.py").write_text(script.read_text())
        return ["-m", "pkg.run"]
    if form == "a package":
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(script.read_text())
        return ["-m", "pkg"]
    if form == "a package that calls another module":
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "app.py").write_text(script.read_text().replace("__name__)", '"__main__")'))
        (package / "__main__.py").write_text("from pkg.app import main\nmain()\n")
        return ["-m", "pkg"]
    if form == "a folder":
        package.mkdir()
        (package / "__main__.py").write_text(script.read_text())
        return ["pkg"]
    if form == "an archive":
        (folder / "zipped").mkdir()
        (folder / "zipped" / "__main__.py").write_text(script.read_text())
        zipapp.create_archive(folder / "zipped", folder / "app.pyz")
        return ["app.pyz"]
    if form == "a console script":
        (folder / "train.py").write_text(script.read_text().replace("__name__)", '"__main__")'))
        (folder / "console").write_text(
            f"import re, sys\nsys.path.insert(0, {str(folder)!r})\nfrom train import main\n{GUARDED}"
            "    sys.argv[0] = re.sub('x', 'x', sys.argv[0])\n    sys.exit(main())\n"
        )
        return ["console"]
    if form == "a module that calls another":
        (folder / "train.py").write_text(script.read_text().replace("__name__)", '"__main__")'))
        (folder / "start.py").write_text("import train\ntrain.main()\n")
        return ["start.py"]
    assert form == "standard text"
    return ["-c", script.read_text()]


FORMS = [
    "a file elsewhere",
    "a link",
    "a module of a package",
    "a package",
    "a package that calls another module",
    "a folder",
    "an archive",
    "a console script",
    "a module that calls another",
    "standard text",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_program_may_lie_anywhere(tmp_path: Path, form: str) -> None:
    call(tmp_path, *command_for(form, tmp_path), *LAUNCH)
    assert logs(tmp_path) == ["job 1 __main__\n", "job 2 __main__\n"]


def test_a_program_on_standard_input_travels_by_value(tmp_path: Path) -> None:
    script = write_app(tmp_path / "source", top="FACTOR = 3", task="    print(cfg.x * FACTOR)\n")
    with script.open() as stream:
        call(tmp_path, "-", *LAUNCH, stdin=stream)
    assert logs(tmp_path) == ["3\n", "6\n"]


def test_a_program_on_standard_input_that_cannot_travel_is_refused_in_one_line(tmp_path: Path) -> None:
    script = write_app(
        tmp_path / "source", top="import threading\nLOCK = threading.Lock()", task="    LOCK.acquire()\n"
    )
    with script.open() as stream:
        answer = subprocess.run(
            [sys.executable, "-", *LAUNCH],
            cwd=tmp_path,
            stdin=stream,
            capture_output=True,
            text=True,
            check=False,
        )
    assert answer.returncode == 1
    assert answer.stderr.strip().splitlines() == [
        "the task cannot be sent to a job: TypeError: cannot pickle '_thread.lock' object; "
        "jobs cannot import this program, so write it to a file"
    ]
    assert not list(tmp_path.glob("experiments/sweeps/*"))


def test_unseeded_jobs_draw_other_numbers_and_seeded_ones_the_same(tmp_path: Path) -> None:
    task = """
    import random, numpy as np
    print(random.random(), np.random.rand(), np.random.default_rng().random())
    np.random.seed(0), random.seed(0)
    print("seeded", random.random(), np.random.rand())
"""
    write_app(tmp_path, top="import numpy.random", task=task)
    sweep(tmp_path, *LAUNCH)
    sweep(tmp_path, *LAUNCH, "hydra.launcher.isolation=reuse", "hydra.launcher.n_jobs=1")
    first, second = sorted((tmp_path / "experiments" / "sweeps").iterdir())
    drawn = [
        (sweep / "jobs" / job / "output.log").read_text().splitlines()
        for sweep in (first, second)
        for job in "01"
    ]
    assert len({number for lines in drawn for number in lines[0].split()}) == 12
    assert len({lines[1] for lines in drawn}) == 1


@pytest.mark.slow
def test_unseeded_jobs_draw_other_numbers_from_torch(tmp_path: Path) -> None:
    write_app(tmp_path, top="import torch", task="    print(torch.rand(1).item())\n")
    sweep(tmp_path, *LAUNCH)
    one, other = logs(tmp_path)
    assert one != other


@pytest.mark.parametrize(
    ("environment", "overrides", "seen"),
    [
        ({"OMP_NUM_THREADS": "1"}, (), "1 1"),
        ({"OMP_NUM_THREADS": "5", "MKL_NUM_THREADS": "6"}, (), "5 6"),
        ({}, (), "2 2"),
        ({"OMP_NUM_THREADS": "5", "MKL_NUM_THREADS": "6"}, ("hydra.launcher.threads=3",), "3 3"),
        ({"OMP_NUM_THREADS": "5"}, ("+hydra.job.env_set.OMP_NUM_THREADS=7",), "7 5"),
        ({}, ("hydra.launcher.threads=3", "+hydra.job.env_set.MKL_NUM_THREADS=7"), "3 7"),
    ],
)
def test_a_limit_of_threads_that_the_user_has_set_stays(
    tmp_path: Path, environment: dict[str, str], overrides: tuple[str, ...], seen: str
) -> None:
    write_app(
        tmp_path,
        top="import os",
        task='    print(os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])\n',
    )
    clean = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    share = max(1, (os.cpu_count() or 1) // 1)
    sweep(tmp_path, *LAUNCH, "hydra.launcher.n_jobs=1", *overrides, env={**clean, **environment})
    expected = " ".join(str(share) if part == "2" else part for part in seen.split())
    assert logs(tmp_path) == [f"{expected}\n"] * 2


@pytest.mark.slow
def test_libraries_that_are_loaded_already_follow_the_limit_of_a_job(tmp_path: Path) -> None:
    write_app(tmp_path, top="import torch", task="    print(torch.get_num_threads())\n")
    sweep(tmp_path, *LAUNCH, "+hydra.job.env_set.OMP_NUM_THREADS=3")
    assert logs(tmp_path) == ["3\n", "3\n"]


def test_a_signal_that_is_ignored_in_the_background_is_ignored_in_a_job(tmp_path: Path) -> None:
    write_app(tmp_path, top="import signal", task="    print(signal.getsignal(signal.SIGINT))\n")

    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    alone = call(tmp_path, "app.py", preexec_fn=ignore)
    call(tmp_path, "app.py", *LAUNCH, preexec_fn=ignore)
    assert logs(tmp_path) == [alone, alone]
