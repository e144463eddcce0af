"""Single steps that change a registry, each run as a process of its own: a test kills it at a system call.

`python registry_steps.py STORE STEP` makes the step; `python registry_steps.py STORE crowd PROCESSES COUNT KILLS` lets many
processes make steps by chance.
"""

import hashlib
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tracking import ExperimentTracker, ModelRegistry, TrackingError
from tracking.registry import Verdict

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


def prepare(base: Path) -> None:
    """Make a store with the runs 1 to 5 and the model ctr: versions 1 to 4, of which 1, 2 and 3 were champions, and an export."""
    tracker, registry = ExperimentTracker(base), ModelRegistry(base)
    for number in range(1, 6):
        with tracker.start_run("x", config="lr: 1\n") as run:
            run.log({"val_auc": 0.8})
            (run.artifacts_dir / "model_best.pt").write_bytes(b"weights %d" % number)
        if number < 5:
            registry.register("ctr", run.run_id, objective=OBJECTIVE)
    for number in (1, 2, 3):
        registry.promote("ctr", number, reason="better")
    registry.set_alias("ctr", "staging", 1)
    registry.record_verdict("ctr", 4, verdict("first"), scores=b"first")
    elsewhere = ModelRegistry(base.parent / "elsewhere")
    with ExperimentTracker(base.parent / "elsewhere").start_run("y") as run:
        run.log({"val_auc": 0.8})
        (run.artifacts_dir / "model_best.pt").write_bytes(b"of elsewhere")
    elsewhere.register("theirs", run.run_id, objective=OBJECTIVE)
    elsewhere.export("theirs@1", base.parent / "theirs.tgz")


def verdict(text: str) -> Verdict:
    """Return a verdict that was made from predictions, which are the text too."""
    facts = {"scores": "scores.npz", "scores_sha256": hashlib.sha256(text.encode()).hexdigest()}
    return Verdict(False, text, (text,), "scores", facts)


def exported(base: Path, name: str) -> Path:
    return base.parent / name


STEPS: dict[str, Callable[[ModelRegistry, Path], object]] = {
    "register": lambda models, _: models.register("ctr", "run_005", objective=OBJECTIVE),
    "promote": lambda models, _: models.promote("ctr", 4, reason="best"),
    "rollback": lambda models, _: models.rollback("ctr", reason="worse"),
    "rollback_to": lambda models, _: models.rollback("ctr", to=1, reason="worse"),
    "alias": lambda models, _: models.set_alias("ctr", "staging", 4),
    "unalias": lambda models, _: models.remove_alias("ctr", "staging"),
    "archive": lambda models, _: models.archive("ctr", 2),
    "remove": lambda models, _: models.remove("ctr", 2),
    "remove_model": lambda models, _: models.remove("ctr"),
    "look": lambda models, _: models.spend_look("ctr", 4, split="s", key="k"),
    "refuse": lambda models, _: models.refuse("ctr", 4, reason="too close", key="k"),
    "verdict": lambda models, _: models.record_verdict("ctr", 4, verdict("second"), scores=b"second"),
    "import": lambda models, base: models.import_version(exported(base, "theirs.tgz"), name="ctr"),
    "export": lambda models, base: models.export("ctr@4", exported(base, "ours.tgz")),
}


def crowd(base: Path, processes: int, count: int, kills: int) -> None:
    """Let processes make `count` steps each at once; so many of them go on until they are killed."""
    children = []
    for seed in range(processes):
        child = os.fork()
        if child == 0:
            work(base, seed, 1 << 30 if seed < kills else count)
            os._exit(0)
        children.append(child)
    for child in children[kills:]:
        assert os.waitpid(child, 0)[1] == 0
    for child in children[:kills]:
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def work(base: Path, seed: int, count: int) -> None:
    """Make steps by chance, and tell each that was acknowledged: what, version, reason, answer."""
    models, chance = ModelRegistry(base), random.Random(seed)
    for step in range(count):
        version, reason = chance.randint(1, 4), f"{seed}.{step}"
        what = chance.choice(
            ["promote", "promote", "rollback", "alias", "unalias", "look", "refuse", "archive"]
        )
        answer: object = ""
        try:
            if what == "promote":
                models.promote("ctr", version, reason=reason)
            elif what == "rollback":
                answer = models.rollback("ctr", reason=reason).version
            elif what == "alias":
                models.set_alias("ctr", f"a{version}", version, reason=reason)
            elif what == "unalias":
                models.remove_alias("ctr", f"a{version}", reason=reason)
            elif what == "look":
                answer = models.spend_look("ctr", version, split="s", key=reason)
            elif what == "refuse":
                models.refuse("ctr", version, reason=reason, key=reason)
            else:
                models.archive("ctr", version, reason=reason)
                models.unarchive("ctr", version, reason=reason)
        except TrackingError:
            what = (
                "refused"  # there is no champion before, or the version has an alias or is archived just now
            )
        os.write(1, f"{what} {version} {reason} {answer}\n".encode())


if __name__ == "__main__":
    place, step, *words = sys.argv[1:]
    if step == "crowd":
        crowd(Path(place), *map(int, words))
    else:
        STEPS[step](ModelRegistry(place), Path(place))
