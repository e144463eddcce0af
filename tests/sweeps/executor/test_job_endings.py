"""A job ends as Python ends: exit handlers, buffers, threads; and what was cut off is said."""

import subprocess
import sys
from pathlib import Path

import pytest
from scripts import LAUNCH, call, events, logs, sweep, write_app

from tracking import ExperimentTracker
from tracking.files import read_json

KEEPS = """
    import atexit, ctypes, logging.handlers, tempfile, threading, weakref, zipfile
    from concurrent.futures import ThreadPoolExecutor
    HERE.mkdir(exist_ok=True)
    place = HERE / str(cfg.x)
    place.mkdir()
    KEPT.append(open(place / "open.txt", "w"))
    KEPT[-1].write("x" * 100)
    KEPT.append(zipfile.ZipFile(place / "archive.zip", "w"))
    KEPT[-1].writestr("entry", "text")
    KEPT.append(Finaliser(place / "finalised.txt"))
    handler = logging.handlers.MemoryHandler(1000, target=logging.FileHandler(place / "log.txt"))
    logging.getLogger("own").addHandler(handler)
    logging.getLogger("own").warning("buffered")
    atexit.register((place / "atexit.txt").write_text, "goodbye")
    weakref.finalize(Finaliser, (place / "weakref.txt").write_text, "gone")
    KEPT.append(tempfile.TemporaryDirectory(dir=place))
    KEPT.append(ThreadPoolExecutor(1))
    KEPT[-1].submit(later, place / "future.txt")
    threading.Thread(target=later, args=(place / "thread.txt",)).start()
    sys.stdout.write("no end of line")
    ctypes.CDLL(None).printf(b" of C")
"""
TOP = """
import sys, time
from pathlib import Path
HERE, KEPT = Path(__file__).parent / "out", []

class Finaliser:
    def __init__(self, path): self.path = path
    def __del__(self): self.path.write_text(f"{HERE.name} {time.time() > 0}")

def later(path):
    time.sleep(0.5)
    path.write_text("saved")
"""


def files(folder: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    assert not [path for path in folder.iterdir() if path.is_dir()], "a temporary folder was left"
    return {name: data for name, data in found.items() if name != "archive.zip"} | {
        "entry": _entry(folder / "archive.zip")
    }


def _entry(archive: Path) -> bytes:
    import zipfile

    with zipfile.ZipFile(archive) as opened:
        return opened.read("entry")


@pytest.mark.parametrize("isolation", ["process", "reuse"])
def test_what_a_program_writes_as_it_ends_a_job_writes_too(tmp_path: Path, isolation: str) -> None:
    write_app(tmp_path, top=TOP, task=KEEPS)
    assert call(tmp_path, "app.py", "x=5") == "no end of line of C"
    sweep(tmp_path, *LAUNCH, f"hydra.launcher.isolation={isolation}")
    alone = files(tmp_path / "out" / "5")
    assert len(alone) == 8
    assert files(tmp_path / "out" / "1") == files(tmp_path / "out" / "2") == alone
    assert [sorted(log) for log in logs(tmp_path)] == [sorted("no end of line of C")] * 2


def test_a_wait_for_threads_is_shown_and_what_is_cut_off_is_said(tmp_path: Path) -> None:
    task = """
    import threading, time
    if cfg.x == 1:
        threading.Thread(target=time.sleep, args=(600,), name="saver").start()
    if cfg.x == 2:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
"""
    write_app(tmp_path, task=task)
    out = sweep(tmp_path, *LAUNCH, "hydra.launcher.grace_s=2.5")
    assert "job 0: its task has returned; waiting for its threads (saver)" in out
    ended = {event["job"]: event for event in events(tmp_path) if event["event"] == "finished"}
    assert [ended[job]["status"] for job in (0, 1)] == ["completed", "completed"]
    assert ended[0]["note"] == "cut off 2.5 s after its task returned, waiting for its threads (saver)"
    assert "note" not in ended[1]
    assert "1 job (0) completed: cut off 2.5 s" in out or "job 0 completed: cut off 2.5 s" in out
    (board,) = tmp_path.glob("experiments/sweeps/*/leaderboard.json")
    assert [row["rank"] for row in read_json(board)["rows"]] == [1, 2]
    listed = subprocess.run(
        [sys.executable, "-m", "sweeps", "jobs", "latest"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "job 0: cut off 2.5 s after its task returned" in listed.stdout


@pytest.mark.parametrize(
    ("ending", "note"),
    [
        ("os._exit(7)", "its process ended with exit code 7 after its task returned"),
        ("os.kill(os.getpid(), 11)", "its process ended with SIGSEGV after its task returned"),
        ("1 / 0", None),  # Python prints the error of an exit handler and goes on
    ],
)
def test_a_fault_of_an_exit_handler_is_said_and_costs_no_result(
    tmp_path: Path, ending: str, note: str | None
) -> None:
    task = f"    import atexit, os\n    atexit.register(lambda: {ending})\n"
    write_app(tmp_path, task=task)
    sweep(tmp_path, *LAUNCH)
    ended = [event for event in events(tmp_path) if event["event"] == "finished"]
    assert [(event["status"], event.get("note")) for event in ended] == [("completed", note)] * 2


def test_a_job_that_raises_writes_what_it_has_too(tmp_path: Path) -> None:
    task = """
    import atexit
    KEPT.append(open(f"open_{cfg.x}.txt", "w"))
    KEPT[-1].write("before")
    atexit.register(lambda: print("goodbye", flush=True))
    raise SystemExit(3) if cfg.x == 1 else ValueError("no")
"""
    write_app(tmp_path, top="KEPT = []", task=task)
    subprocess.run([sys.executable, "app.py", *LAUNCH], cwd=tmp_path, capture_output=True, check=False)
    for job, log in enumerate(logs(tmp_path), start=1):
        assert (tmp_path / f"open_{job}.txt").read_text() == "before"
        assert "goodbye" in log


LEAVES = """
    import decimal, faulthandler, locale, multiprocessing, os, random, resource, signal, warnings
    from omegaconf import OmegaConf
    print(os.getpid(), file=open("pids.txt", "a"))
    alarm = signal.setitimer(signal.ITIMER_REAL, 0)
    found = [
        os.umask(0o077), os.getcwd(), sys.path[-1], sys.argv[-1], os.environ.get("LEFT"), alarm,
        [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM)],
        signal.pthread_sigmask(signal.SIG_BLOCK, ()), sys.excepthook.__name__, warnings.filters[0][0],
        OmegaConf.has_resolver("left"), sys.getrecursionlimit(), sys.stdout.encoding, sys.stdout.closed,
        multiprocessing.get_start_method(allow_none=True), threading_hook(), numpy.geterr()["divide"],
        type(sys.stdin).__name__,
    ]
    print(found)
    os.chdir("/")
    sys.path.append("/left")
    sys.argv = ["left"]
    os.environ["LEFT"] = "yes"
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(each, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 600)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    sys.excepthook = lambda *_: None
    threading.excepthook = lambda *_: None
    warnings.simplefilter("ignore")
    OmegaConf.register_new_resolver("left", lambda: 5)
    sys.setrecursionlimit(5000)
    multiprocessing.set_start_method("spawn")
    numpy.seterr(divide="raise")
    sys.stdin = None
    if WAY == "closes":
        sys.stdout.close()
        sys.stderr.close()
    elif WAY == "replaces":
        sys.stdout = open(os.devnull, "w")
        sys.stderr = None
    elif WAY == "encodes":
        sys.stdout.reconfigure(encoding="ascii", errors="strict")
    elif WAY == "closes descriptors":
        os.close(1)
        os.close(2)
"""


@pytest.mark.parametrize("way", ["closes", "replaces", "encodes", "closes descriptors"])
def test_nothing_that_a_job_sets_in_its_process_reaches_the_next(tmp_path: Path, way: str) -> None:
    top = f"import sys, threading\nimport numpy\nWAY = {way!r}\n"
    top += "def threading_hook(): return threading.excepthook is threading.__excepthook__\n"
    write_app(tmp_path, top=top, task=LEAVES)
    alone = call(tmp_path, "app.py", "x=2").replace("'x=2'", "'hydra.launcher.n_jobs=1'")
    (tmp_path / "pids.txt").unlink()
    sweep(tmp_path, *LAUNCH, "hydra.launcher.isolation=reuse", "hydra.launcher.n_jobs=1")
    assert logs(tmp_path) == [alone, alone]
    assert len(set((tmp_path / "pids.txt").read_text().split())) == 1


@pytest.mark.parametrize(
    "change",
    [
        "os.nice(1)",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))",
        "atexit.register(print, 'goodbye')",
        "threading.Thread(target=time.sleep, args=(0.5,)).start()",
        "subprocess.Popen(['sleep', '60'])",
    ],
)
def test_a_job_that_changes_what_cannot_be_put_back_costs_its_child(tmp_path: Path, change: str) -> None:
    task = f"    import atexit, os, resource, subprocess, threading, time\n    print(os.getpid())\n    {change}\n"
    write_app(tmp_path, task=task)
    sweep(tmp_path, *LAUNCH, "hydra.launcher.isolation=reuse", "hydra.launcher.n_jobs=1")
    first, second = (log.split()[0] for log in logs(tmp_path))
    assert first != second


@pytest.mark.parametrize("isolation", ["process", "reuse"])
def test_threads_and_exit_handlers_find_the_run_of_the_job_and_open_others(
    tmp_path: Path, isolation: str
) -> None:
    top = """
import atexit, subprocess, sys, threading, time
from tracking import ExperimentTracker, active_run

def late(name, x):
    while name == "thread" and threading.main_thread().is_alive():
        time.sleep(0.01)
    active_run().log({name: x})
    ExperimentTracker("experiments").start_run(name).finish()
"""
    task = """
    ExperimentTracker("experiments").start_run("left open")
    threading.Thread(target=late, args=("thread", cfg.x)).start()
    atexit.register(late, "handler", cfg.x)
"""
    write_app(tmp_path, top=top, task=task)
    sweep(tmp_path, *LAUNCH, "hydra.launcher.n_jobs=1", f"hydra.launcher.isolation={isolation}")
    records = ExperimentTracker(tmp_path / "experiments").records()
    assert [(record.experiment_name, record.sweep["job"]) for record in records] == [
        (name, job) for job in (0, 1) for name in ("left open", "thread", "handler")
    ]
    assert [sorted(record.summary) for record in records[::3]] == [["handler", "thread"]] * 2
    assert all(record.finished_at for record in records)
    finished = [event["runs"] for event in events(tmp_path) if event["event"] == "finished"]
    assert finished == [["run_001", "run_002", "run_003"], ["run_004", "run_005", "run_006"]]
