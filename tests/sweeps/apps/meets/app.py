"""A Hydra app whose jobs meet at each step to compute a square together."""

import contextlib
import logging
import os
import random
import signal
import sys
import warnings
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from meetings import die, squares

from hydra_plugins.podium.versions import current_defaults
from tracking import ExperimentTracker
from tracking.process.turns import Raised, is_grouped, together

log = logging.getLogger("meets")


def change_everything(number):
    """Change what a process is, in a way of this job's own; return a function that tells what it is."""
    folder = Path(f"folder-{number}").absolute()
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    os.umask(0o20 + number)
    os.environ["MINE"] = str(number)
    sys.argv.append(str(number))
    sys.path.append(f"/path/{number}")
    random.seed(number)
    logging.getLogger().setLevel(logging.WARNING + number)
    logging.getLogger("own").addHandler(logging.FileHandler(folder / "own.log"))
    logging.getLogger("own").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", message=f"of {number}")
    signal.signal(signal.SIGUSR1, lambda *_: number)
    sys.stdout.write(f"a line that is not ended by {number} ")

    def told():
        mask = os.umask(0)
        os.umask(mask)
        return (
            Path.cwd().name,
            mask,
            os.environ["MINE"],
            sys.argv[-1],
            sys.path[-1],
            logging.getLogger().level,
            len(logging.getLogger("own").handlers),
            [
                each[1].pattern
                for each in warnings.filters
                if each[1] is not None and each[1].pattern == f"of {number}"
            ],
            signal.getsignal(signal.SIGUSR1)(),
            HydraConfig.get().job.num,
        )

    return told


@hydra.main(config_path=".", config_name="config", **current_defaults())
def main(cfg):
    random.seed(cfg.x)
    log.info("starts with %s", cfg.x)
    with contextlib.ExitStack() as inside:
        run = ExperimentTracker("experiments").start_run("meets", params={"x": cfg.x})
        inside.enter_context(run)
        if "leaves a note" in cfg.does:
            inside.callback(Path(f"left-{cfg.x}").touch)
        told = change_everything(cfg.x) if cfg.does == "change" else lambda: None
        before = told()
        for step in range(cfg.steps):
            square = together(squares, cfg.x)
            assert square == cfg.x**2
            assert told() == before
            sys.stdout.write(f"step {step} of {cfg.x}\n")
            run.log({"value": square + random.random()}, step=step)
            if run.should_stop():
                break
            act(cfg, step)
        logging.getLogger("own").info("own of %s", cfg.x)
    return float(cfg.x)


def act(cfg, step):
    """Do what the config asks for after the second step."""
    if step != 1:
        return
    if cfg.does == "raise":
        raise ValueError("no such luck")
    if cfg.does == "first fails, second waits" and cfg.x == 1:
        raise ValueError("no such luck")
    if cfg.does == "first fails, second waits" and cfg.x == 2:
        signal.pause()
    if cfg.does == "exit":
        sys.exit(3)
    if cfg.does == "bad" and cfg.x == 2:
        together(squares, "bad")
    if cfg.does == "bad alone" and cfg.x == 2:
        together(squares, ValueError("bad alone"))
    if cfg.does == "warn":
        warnings.simplefilter("default")
        warnings.warn(f"number {cfg.x}", UserWarning, stacklevel=1)
    if cfg.does.startswith("first two wait") and cfg.x < 3 and not Path(f"waiting-{cfg.x}").exists():
        Path(f"waiting-{cfg.x}").touch()
        together(lambda items: signal.pause(), 0)
    if cfg.does == "ask 2 to stop" and cfg.x == 3:
        tracker = ExperimentTracker("experiments")
        (second,) = (each for each in tracker.records() if each.params["x"] == 2)
        Path("experiments", "runs", second.run_id, "stop").touch()
    if cfg.does.startswith("die") and cfg.x == 2:
        Path(f"died-{cfg.x}").touch()
        die(cfg.does.rpartition(": ")[2])


if __name__ == "__main__":
    assert not is_grouped()
    assert Raised(ValueError()).trace is None
    main()
