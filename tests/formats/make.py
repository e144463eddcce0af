"""Makes the folder of the version that is installed: ``python tests/formats/make.py 0.1.0``, by hand, once per version.

It lets the code of today record runs and run sweeps in a folder of its own, takes out what names this machine, its
user and its folders, and what is bulky, and writes down what the code of today says of it, in ``expected.json``.
"""

import json
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
from answers import HOME, HOST, MACHINE, STORE, move_in, of_records, of_sweeps, predicted, resumed, settle

from tracking.version import __version__

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SITE = Path(hydra.__file__).parents[1]
PACKAGES = ("hydra-core", "numpy", "orjson", "torch")  # that env.json keeps
BULKY = (
    "*.lock",
    ".podium/index",
    ".podium/locks",
    "__pycache__",
    ".git",
    ".cache",
    "multirun.yaml",
    "jobs/*/.hydra",
    "artifacts/plots",
)
ORIGINS = (
    "env.json",
    "git.json",
    "config.yaml",
    "stdout.log",
)  # of a run, which differ little from run to run
UNFINISHED = ("interrupted", "killed")  # sweeps that are resumed


def main(version: str) -> None:
    if version != __version__:
        sys.exit(f"this is podium {__version__}; check out {version} to make its folder")
    target = HERE / version
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        for make in PROJECTS.values():
            make(home)
        thin_out(home)
        disguise(home)
        check_is_neutral(home)
        shutil.rmtree(target, ignore_errors=True)
        for project in PROJECTS:
            shutil.copytree(home / project, target / project)
        write_json(target / "expected.json", expect(target, home.parent / f"{home.name}-answers"))


def make_quadratic(home: Path) -> None:
    """Sweeps that end in every way."""
    project = home / "quadratic"
    shutil.copytree(HERE / "scenes" / "quadratic", project)

    def sweep(name: str, *words: str) -> list[str]:
        return [sys.executable, "app.py", "-m", f"hydra.sweeper.name={name}", *words]

    promotion = "hydra.sweeper.promotion={promote: true, model_name: quadratic, files: [model.json]}"
    run(project, *sweep("grid", "x=1,2,3", "rate=0.5,0.25", promotion))
    run(project, *sweep("seeds", "x=1,2,3", "raises_at=3", "hydra.sweeper.repeat=2"), code=1)
    run(project, *sweep("zip", "x=1,2,4", "rate=0.5,0.25,0.125", "hydra.sweeper.mode=zip"))
    run(project, *sweep("list", "hydra.sweeper.points=points.csv", "hydra.sweeper.mode=list"))
    random = ("hydra.sweeper.mode=random", "hydra.sweeper.n_trials=4", "hydra.sweeper.seed=3")
    run(project, *sweep("random", "x=range(1,9)", "rate=interval(0.1,0.9)", *random))
    troubles = ("raises_at=3", "nan_at=4", "dies_at=5", "hydra.launcher.retries=1")
    run(project, *sweep("troubled", "x=1,3,4,5", *troubles), code=1)
    run(project, *sweep("returned", "x=1,2", "hydra.sweeper.objective.metric=null"))
    run(project, *sweep("reused", "x=1,2,3,5", "rate=0.5", "hydra.sweeper.reuse=true"))
    run(project, *sweep("stock", "x=1,2", "--config-name=stock"))
    for name, number in (
        ("resumed", signal.SIGINT),
        ("interrupted", signal.SIGTERM),
        ("killed", signal.SIGKILL),
    ):
        stop(project, sweep(name, "x=1,2,3", "waits_at=2", "hydra.launcher.n_jobs=1"), number)
    run(project, sys.executable, "-m", "sweeps", "resume", "resumed")
    with (project / STORE / "sweeps" / "killed" / "jobs.jsonl").open("a") as ledger:
        ledger.write('{"version":1,"at":"2026-0')
    (project / "died").unlink()


def make_records(home: Path) -> None:
    """Runs that end in every way, and what can be done with them afterwards."""
    project = home / "records"
    shutil.copytree(HERE / "scenes" / "records", project)
    git = ("git", "-c", "user.name=user", "-c", "user.email=user@example.org")
    for words in (("init", "-qb", "main"), ("add", "."), ("commit", "-qm", "first")):
        run(project, *git, *words)
    with (project / "train.py").open("a") as script:
        script.write("# not committed\n")
    (project / "new.py").write_text("ANSWER = 42\n")

    def train(what: str, code: int = 0) -> None:
        run(project, sys.executable, "train.py", what, code=code)

    def tracking(*words: str) -> None:
        run(project, sys.executable, "-m", "tracking", *words)

    train("first")
    train("second")
    train("failed", code=1)
    train("killed", code=-signal.SIGKILL)
    with (project / STORE / "runs" / "run_004" / "metrics.jsonl").open("a") as journal:
        journal.write('{"step": 3, "timest')
    train("shared", code=-signal.SIGKILL)
    train("killed", code=-signal.SIGKILL)
    elsewhere = project / STORE / "runs" / "run_006" / "run.json"
    elsewhere.write_text(elsewhere.read_text().replace(f'"{platform.node()}"', '"elsewhere"'))
    train("small")
    train("by_id")
    train("deleted")
    train("deleted")
    tracking("delete", "run_009", "--yes")
    tracking("delete", "run_010", "--yes")
    tracking("restore", "run_009")
    tracking("tag", "run_007", "team=ads", "reviewed=yes")
    tracking("note", "run_008", "a note of later")
    tracking("rename", "mistakes", "lessons")
    train("models")
    for path in project.iterdir():
        if path.is_file():
            path.unlink()


def make_plain(home: Path) -> None:
    """A store as simple code writes it: whole files, naive times, no run.json."""
    store = home / "plain" / STORE
    entries = []
    for number in (1, 2):
        run_id = f"run_{number:03d}"
        folder = store / "runs" / run_id
        (folder / "artifacts").mkdir(parents=True)
        (folder / "artifacts" / "model_best.pt").write_text("weights\n")
        write_json(folder / "params.json", {"learning_rate": 0.001 * number, "hidden_dims": [256, 128]})
        points = [
            {"step": step, "value": 0.75 + 0.125 * (step - number), "timestamp": "2024-11-15T10:31:00"}
            for step in range(2)
        ]
        odd = [{"step": 0, "value": float("nan"), "timestamp": ""}]
        write_json(folder / "metrics.json", {"val_auc": points, "odd": odd})
        entries.append(
            {
                "run_id": run_id,
                "experiment_name": "ctr_model",
                "created_at": "2024-11-15T10:30:00",
                "finished_at": "2024-11-15T11:00:00" if number == 1 else None,
                "status": "completed" if number == 1 else "running",
                "tags": {"version": "v1"},
                "description": "Baseline model",
                "run_dir": f"experiments/runs/{run_id}",
            }
        )
    write_json(store / "metadata.json", entries)


def make_training(home: Path) -> None:
    """A sweep of the trainer, with a champion that can be loaded."""
    project = home / "training"
    project.mkdir()
    lines = [f"{x},{'yes' if x % 3 else 'no'},{int(x > 19)}" for x in range(40)]
    (project / "clicks.csv").write_text("\n".join(["age,member,clicked", *lines, ""]))
    data = ("data=csv", "data.path=clicks.csv", "data.target=clicked", "data.numeric_transform=standard")
    words = (
        *data,
        "model=logistic",
        "training.epochs=3",
        "promotion.rules.thresholds={}",
        "sweep.name=trained",
    )
    run(project, sys.executable, "-m", "trainer", "-m", "training.learning_rate=0.01,0.3", *words)


def run(folder: Path, *words: str, code: int = 0) -> None:
    answer = subprocess.run(
        words, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    if answer.returncode != code:
        sys.exit(f"{words}: exit code {answer.returncode}\n{answer.stdout}\n{answer.stderr}")


def stop(folder: Path, words: list[str], number: signal.Signals) -> None:
    """Start a sweep and send a signal to its parent once a job waits."""
    (folder / "hold").touch()
    waiting = folder / "waiting"
    process = subprocess.Popen(
        words, cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    await_true(waiting.exists)
    time.sleep(0.5)
    process.send_signal(number)
    process.wait()
    await_true(lambda: not Path(f"/proc/{waiting.read_text()}").exists())
    waiting.unlink()
    (folder / "hold").unlink()


def await_true(question: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not question():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder.parent),
        "LANG": "C.UTF-8",
        "LOGNAME": "user",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
        "TZ": "Europe/Berlin",
    }


def thin_out(home: Path) -> None:
    """Remove what can be made again or says little."""
    for pattern in BULKY:
        for path in list(home.rglob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in home.glob("quadratic/experiments/runs/*/*"):
        if path.name in ORIGINS and path.parent.name > "run_002":
            path.unlink()
    for path in home.glob("training/experiments/runs/*/git.*"):
        path.unlink()  # it tells of the checkout of podium
    for path in home.rglob("*.log"):
        sweep = path.parents[2].name
        if path.stat().st_size == 0 or (path.name == "output.log" and sweep not in {"troubled", "seeds"}):
            path.unlink()
    for path in home.rglob("env.json"):
        found = json.loads(path.read_text())
        found["packages"] = {name: found["packages"][name] for name in PACKAGES if name in found["packages"]}
        found |= {"platform": "Linux 6.1.0 x86_64", "cpu": "a processor", "memory_bytes": 1 << 34}
        write_json(path, found)


def disguise(home: Path) -> None:
    """Replace what names this machine, its user and its folders, and sign the files of models again."""
    names = {
        str(home): HOME,
        str(SITE): f"{HOME}/.venv/lib/{SITE.parent.name}/site-packages",
        sys.prefix: f"{HOME}/.venv",
        str(ROOT): f"{HOME}/podium",
        sys.base_prefix: "/usr",
        Path("/proc/sys/kernel/random/boot_id").read_text().strip(): "00000000-1111-2222-3333-444444444444",
        Path("/etc/machine-id").read_text().strip(): MACHINE,
        f'"{platform.node()}"': f'"{HOST}"',
    }
    names.pop("", None)  # of a machine without an id
    for path in files(home):
        old = new = path.read_bytes()
        for name, neutral in names.items():
            new = new.replace(name.encode(), neutral.encode())
        if new != old:
            path.write_bytes(new)
    for path in files(home):
        parts = path.name.split(".")
        if platform.node() in parts:  # logs of edits and journals of other writers
            path.rename(path.with_name(".".join(HOST if part == platform.node() else part for part in parts)))
    for path in home.rglob("manifest.json"):
        sign_again(path)


def sign_again(path: Path) -> None:
    import hashlib

    manifest = json.loads(path.read_text())
    for name, kept in manifest["files"].items():
        content = (path.parent / name).read_bytes()
        kept |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    write_json(path, manifest)


def check_is_neutral(home: Path) -> None:
    mine = (platform.node(), tempfile.gettempdir(), *map(str, (Path.home(), ROOT.parent, SITE.parents[3])))
    words = re.compile(rb"(?<![\w./])(" + b"|".join(re.escape(each.encode()) for each in mine) + rb")(?!\w)")
    for path in files(home):
        found = words.search(f"{path.relative_to(home)}\n".encode() + path.read_bytes())
        if found:
            sys.exit(f"{path.relative_to(home)} holds {found[0].decode()}")


def expect(target: Path, scratch: Path) -> dict[str, Any]:
    """What the code of today says of copies of the folder, as git keeps it: without empty folders."""
    import pytest

    expected: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        patch.setenv("XDG_CACHE_HOME", str(scratch / "cache"))
        try:
            for folder in (target / project for project in PROJECTS):
                for empty in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
                    if not any(empty.iterdir()):
                        empty.rmdir()
                project = scratch / folder.name
                shutil.copytree(folder, project)
                settle(project)
                answers = expected[folder.name] = {"records": of_records(project)}
                if (project / STORE / "sweeps").exists():
                    answers["sweeps"] = of_sweeps(project)
            move_in(scratch / "quadratic")
            expected["quadratic"]["resumed"] = {
                name: resumed(scratch / "quadratic", name) for name in UNFINISHED
            }
            expected["training"]["predictions"] = {"csv_model": predicted(scratch / "training", "csv_model")}
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return expected


def files(home: Path) -> Iterator[Path]:
    return (path for path in sorted(home.rglob("*")) if path.is_file())


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


PROJECTS = {
    "quadratic": make_quadratic,
    "records": make_records,
    "plain": make_plain,
    "training": make_training,
}

if __name__ == "__main__":
    main(sys.argv[1])
