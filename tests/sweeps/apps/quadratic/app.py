"""A small Hydra app of somebody's, with every way for a job to go wrong."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import hydra
from omegaconf import DictConfig

from hydra_plugins.podium.versions import current_defaults
from tracking import ExperimentTracker, active_run


def wait() -> None:
    """Wait for a signal. One that comes just before a sleep is heard after it, so sleep often."""
    for _ in range(12_000):
        time.sleep(0.05)


def go_wrong(fault: str, x: int) -> object:
    if fault == "threads":
        Path(f"threads-{x}-{os.environ['OMP_NUM_THREADS']}").touch()
    if fault == "warns":
        logging.getLogger("mine").warning("step %d of %r is slow", x, "c7")
    if fault == "raise":
        raise ValueError("no such luck")
    if fault == "says_odd_things":
        raise ValueError("caf\udce9 \x1b[31m\0" + "y" * 3_000_000)
    if fault == "ends_the_forkserver":
        server = os.getppid()
        if x == 1 and "forkserver" in Path(f"/proc/{server}/cmdline").read_text():
            os.kill(server, signal.SIGKILL)
        time.sleep(0.5)
    if fault == "forks" and os.fork() == 0:
        return 666.0
    if fault == "forks_and_raises" and os.fork() == 0:
        raise ValueError("in the child of a job")
    if fault == "fills_memory_elsewhere":
        hog = "import os, time; hoard = os.urandom(1 << 20) * 600; time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", hog], start_new_session=True)
        Path("child.pid").write_text(str(child.pid))
        time.sleep(600)
    if fault == "exit":
        sys.exit(3)
    if fault == "os_exit":
        os._exit(4)
    if fault == "sigkill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "segfault":
        ctypes.string_at(0)
    if fault == "unpicklable":
        return threading.Lock()
    if fault == "huge":
        return bytearray(100_000_000)
    if fault == "unraisable":

        class LocalError(Exception):
            def __init__(self, first: object, second: object) -> None:
                super().__init__(threading.Lock())

        raise LocalError(1, 2)
    if fault == "leaves_children":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path("child.pid").write_text(str(child.pid))
    if fault == "tears_its_params":
        (active_run().run_dir / "params.json").write_text("{ torn")
    if fault == "breaks_the_ledger":
        (ledger,) = Path().glob("experiments/sweeps/*/jobs.jsonl")
        ledger.unlink()
        ledger.mkdir()
    if fault == "waits":
        Path(f"waiting-{os.getpid()}").touch()
        wait()
    if fault == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if fault == "fills_memory":
        hoard = []
        while True:
            hoard.append(bytearray(os.urandom(1 << 20)) * 20)
    if fault == "leaves_a_thread":
        threading.Thread(target=time.sleep, args=(600,)).start()
    if fault == "leaves_a_daemon":
        threading.Thread(target=lambda: [time.sleep(0.001) for _ in range(600_000)], daemon=True).start()
    if fault == "dies_at_first":
        try:
            Path(f"died-{x}").touch(exist_ok=False)
        except FileExistsError:
            return None
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "waits_at_first" or (fault == "waits_at_first_if_three" and x == 3):
        try:
            Path(f"waited-{x}").touch(exist_ok=False)
        except FileExistsError:
            return None
        Path(f"waiting-{os.getpid()}").touch()
        wait()
    if fault == "takes_a_second":
        time.sleep(1)
    if fault == "gpu":
        Path(f"gpu-{x}-{os.environ.get('CUDA_VISIBLE_DEVICES')}").touch()
    if fault == "pid":
        Path(f"pid-{os.getpid()}").touch()
        os.environ["LEFT_BY"] = str(x)
    if fault == "sees_what_was_left":
        assert "LEFT_BY" not in os.environ
    return None


def note_of(cfg: DictConfig) -> list[str]:
    return ["a table\nof two lines", f"x is {'even' if cfg.x % 2 == 0 else 'odd'}", "step 1 of 'c7' is slow"]


def refuse_one(cfg: DictConfig) -> None:
    if cfg.x == cfg.seed == 19:
        raise ValueError("x and seed must not both be 19")


@hydra.main(config_path=".", config_name="config", **current_defaults())
def main(cfg: DictConfig) -> object:
    loss = float((cfg.x - 2) ** 2) + 0.25 * cfg.seed
    if not cfg.track:
        return loss
    with ExperimentTracker(cfg.store).start_run("quadratic", params={"x": cfg.x}) as run:
        run.log({"loss": loss + 1}, step=0)
        run.log({"loss": loss}, step=1)
        answer = go_wrong(cfg.fault, cfg.x)
        run.log({"test_loss": loss + 0.5})
    return answer


if __name__ == "__main__":
    main()
