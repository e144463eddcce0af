"""Training: sweeps of a perceptron as whole commands, and epochs on one core, beside the script that anybody would write."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.contestants import HERE, PODIUM, ROOT, DriverError
from benchmarks.driving import MARK, Answer
from benchmarks.figures import Figure, figure
from benchmarks.measures.shapes import ALONE, EVALUATE, LOOP, SHAPES, STACK, write_table
from benchmarks.plan import Plan, Result, Size, in_turn

ORDINARY = "ordinary script, joblib launcher"
AT_ONCE = 2
RATES, SIZES = "1e-4,1e-3,1e-2", "64,128,256"
MANY_RATES, DROPOUTS = "1e-4,2e-4,5e-4,1e-3,2e-3,5e-3,1e-2,2e-2", "0,0.1,0.15,0.2,0.25,0.3,0.4,0.5"
NINE, MANY = "sweep of 9 configs", "sweep of 64 configs"
DEFAULT = "make sweep, 3 configs"
# For each sweep: the keys of podium and of the script, and the values.
AXES = {
    NINE: (("training.learning_rate", "learning_rate", RATES), ("training.batch_size", "batch_size", SIZES)),
    MANY: (("training.learning_rate", "learning_rate", MANY_RATES), ("model.dropout", "dropout", DROPOUTS)),
}
MAX_S = {NINE: 4.0, DEFAULT: 6.0}
MAX_RATIO = {NINE: 1 / 4, MANY: 1 / 10}  # to the script
MOST = {ALONE: (1 / 5, 1 / 6), STACK: (1 / 7, 1 / 10)}  # of the time of the script, by shape
EVALUATED_MS = 20.0


def sweep(plan: Plan) -> Result:
    """Measure sweeps as whole commands: of the script under Hydra's joblib launcher, and of podium."""
    table = write_table(plan.folder / "sweep.csv", SHAPES[0], rows=plan.pick(200, 10_000))
    epochs = plan.pick(1, 17)
    figures: list[Figure] = []
    for case, axes in AXES.items():
        ways = {
            PODIUM.title: [
                *_trainer(table, epochs),
                *(f"{key}={values}" for key, _, values in axes),
            ],
            ORDINARY: [
                str(HERE / "app" / "ordinary.py"),
                "-m",
                f"table={table}",
                f"epochs={epochs}",
                "hydra/launcher=joblib",
                f"hydra.launcher.n_jobs={AT_ONCE}",
                *(f"{key}={values}" for _, key, values in axes),
            ],
        }
        figures += _beside(plan, case, ways)
    quick = ["debug=default"] if plan.size is Size.TINY else []
    default = ["-m", "trainer", "-m", f"training.learning_rate={RATES}", *quick]
    figures += _beside(plan, DEFAULT, {PODIUM.title: default})
    return (
        f"a perceptron [256, 128, 64] for {epochs} epochs of 7,000 rows x 16 numbers, {AT_ONCE} at once",
        figures,
    )


def training(plan: Plan) -> Result:
    """Measure epochs on one core, of one model and per model of a stack, and the evaluation of 20,000 rows."""
    answers = in_turn(1, [PODIUM.title], lambda _: _epochs(plan))[PODIUM.title]
    if answers.trouble:
        raise DriverError(answers.trouble)
    answer, figures = answers.rounds[0], []
    for place, shape in enumerate(SHAPES):
        script = answer[f"{shape.title}, {LOOP}"]
        for who, key in ((PODIUM.title, ALONE), (STACK, STACK), (LOOP, LOOP)):
            rounds = answer[f"{shape.title}, {key}"]
            figures.append(figure(f"epoch: {shape.title}", who, "ms", rounds))
            if key in MOST:
                ratios = [own / other for own, other in zip(rounds, script, strict=True)]
                case = f"epoch: {shape.title}: {who} / {LOOP}"
                figures.append(figure(case, who, "x", ratios, target=MOST[key][place]))
    evaluated = answer[EVALUATE]
    figures.append(figure("evaluate 20,000 rows", PODIUM.title, "ms", evaluated, target=EVALUATED_MS))
    return "one core, batches of 128 rows; per model and epoch", figures


def _trainer(table: Path, epochs: int) -> list[str]:
    """Return the command of podium's sweep, with the epochs and the network of the script."""
    data = [
        "data=csv",
        f"data.path={table}",
        "data.target=y",
        "data.val_fraction=0.15",
        "data.test_fraction=0.15",
    ]
    return [
        "-m",
        "trainer",
        "-m",
        *data,
        f"training.epochs={epochs}",
        "training.early_stopping_patience=null",
        f"sweep.n_jobs={AT_ONCE}",
    ]


def _beside(plan: Plan, case: str, ways: dict[str, list[str]]) -> list[Figure]:
    """Return the seconds of each way's whole command, and podium's share of the script's."""
    who = [way for way in ways if way == PODIUM.title or plan.with_peers]
    rounds = min(plan.rounds, 3) if case == MANY else plan.rounds  # minutes each
    asked = in_turn(rounds, who, lambda way: _seconds(plan.folder, way, ways[way]))
    targets = {"s": MAX_S[case]} if case in MAX_S else {}
    found = [each for answers in asked.values() for each in answers.figures({"s": case}, targets=targets)]
    if ORDINARY in asked and case in MAX_RATIO:
        title = f"{case}: podium / {ORDINARY}"
        found += asked[PODIUM.title].ratio(title, asked[ORDINARY], "s", target=MAX_RATIO[case])
    return found


def _seconds(folder: Path, way: str, arguments: list[str]) -> Answer:
    """Run a command in a new folder, and return its seconds."""
    place = folder / f"training-{time.monotonic_ns()}"
    place.mkdir()
    began = time.monotonic()
    _run(arguments, place, way)
    return {"s": time.monotonic() - began}


def _epochs(plan: Plan) -> Answer:
    """Measure epochs in a process of one thread."""
    arguments = ["-m", "benchmarks.measures.epochs", plan.size, str(plan.rounds)]
    said = _run(arguments, ROOT, "epochs", OMP_NUM_THREADS="1")
    answer: Answer = json.loads(said.rpartition(MARK)[2])
    return answer


def _run(arguments: list[str], folder: Path, way: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **environment},
        check=False,
    )
    if done.returncode:
        raise DriverError(
            f"failed: {way}: exit code {done.returncode}, {done.stderr.strip()[-300:] or 'no output'}"
        )
    return done.stdout
