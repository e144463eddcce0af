"""The command that draws the plots of runs: `python -m trainer.draw`, `podium draw`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from trainer.errors import LoadError
from trainer.predict import words

STORE_VARIABLE = "PODIUM_STORE"

KEYS = {"store": "the folder of runs and models"}
HELP = """Draw the plots of runs: learning curves, and what the predictions on the test split look like.

  {command} RUN...

  {command} run_012 run_013
  {command} experiments/runs/run_012

A single run draws its own at its end, and a sweep those of its winner. The jobs of a sweep keep what the plots show as data,
so that those of any other run can be drawn at any time. They are written to the run's artifacts, in plots/.

Words:
  RUN      a run id, or a run folder
  store=   the folder of runs and models, as paths.experiments of the training; default $PODIUM_STORE or experiments
"""


def main(arguments: Sequence[str]) -> int:
    """Draw the plots of runs from what they keep.

    Return an exit code: 0, 1 after an error, 2 for a wrong call, 130 after Ctrl-C.
    """
    command = words.called("trainer.draw", "draw")
    return words.run(list(arguments), help_text=HELP.format(command=command), keys=KEYS, command=_draw)


def _draw(arguments: Sequence[str]) -> None:
    given = words.parsed([each for each in arguments if "=" in each], KEYS, ())
    runs = [each for each in arguments if "=" not in each]
    if options := [each for each in runs if each.startswith("-")]:
        raise words.UsageError(f"there is no option {options[0]}; the store is given as store=FOLDER")
    if not runs:
        raise words.UsageError("a RUN is needed")
    store = Path(given.get("store") or os.environ.get(STORE_VARIABLE) or "experiments")
    folders = {each: store / "runs" / each if len(Path(each).parts) == 1 else Path(each) for each in runs}
    for each, folder in folders.items():  # before the first is drawn
        if not folder.is_dir():
            raise LoadError(f"{each}: there is no run {folder}")
    from trainer.draw.of_run import draw_run  # which loads matplotlib

    for each, folder in folders.items():
        paths = draw_run(folder)
        sys.stdout.write(f"{each}: {len(paths)} plots in {folder / 'artifacts' / 'plots'}\n")
