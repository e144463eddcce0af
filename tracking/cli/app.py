"""The command line `python -m tracking`.

    python -m tracking EXPERIMENT                      is  compare EXPERIMENT
    python -m tracking EXPERIMENT plot METRIC RUN...   is  plot EXPERIMENT METRIC RUN...
    python -m tracking --list                          is  list

An experiment that is named like a command is reached through `compare NAME`.
"""

from collections.abc import Sequence

from tracking.cli.commands import COMMANDS
from tracking.cli.short_forms import expand, unknown_word
from tracking.cli.toolkit import app

HELP = """Look at recorded runs and registered models.

Example: python -m tracking compare ctr_model

Short forms:

\b
EXPERIMENT                     is  compare EXPERIMENT
EXPERIMENT plot METRIC RUN...  is  plot EXPERIMENT METRIC RUN...
--list                         is  list

Exit codes:

\b
0    done
1    an error, or something damaged was left out
2    a wrong call
3, 4 of tail: the run failed, was killed
130  interrupted
"""


PROGRAM = app.Program(
    "tracking", HELP, COMMANDS, expand=expand, explain=unknown_word, complete="completing:complete"
)


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    return app.main(PROGRAM, arguments)
