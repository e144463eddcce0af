"""The command line `podium`, which is also `python -m tracking`.

    podium EXPERIMENT                      is  podium compare EXPERIMENT
    podium EXPERIMENT plot METRIC RUN...   is  podium plot EXPERIMENT METRIC RUN...
    podium --list                          is  podium list

An experiment that is named like a command is reached through `compare NAME`.
"""

import sys
from collections.abc import Sequence

from tracking.cli.commands import COMMANDS, SECTIONS
from tracking.cli.short_forms import expand, unknown_word
from tracking.cli.toolkit import app
from tracking.errors import TrackingError
from tracking.process.program import called_podium
from tracking.process.users_modules import remember_folder

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


def _group_lines() -> dict[str, str]:
    from tracking.cli.groups import group_lines  # here and below: other commands do not look for groups

    return group_lines()


PROGRAM = app.Program(
    "tracking",
    HELP,
    COMMANDS,
    sections=SECTIONS,
    groups=_group_lines,
    expand=expand,
    explain=unknown_word,
    complete="completion.completing:complete",
)


def podium() -> int:
    """Run the console command `podium`; return its exit code."""
    called_podium()
    remember_folder()
    return main(sys.argv[1:])


def main(arguments: Sequence[str]) -> int:
    """Run one command, or that of a group; return its exit code."""
    is_asked = len(arguments) > 2 and arguments[0] == app.ASKED_TO_COMPLETE  # for more than the first word
    word = arguments[1] if is_asked else next(iter(arguments), "-")
    if word not in COMMANDS and not word.startswith("-"):
        from tracking.cli.groups import groups, load_group

        if word in groups():
            try:
                group = load_group(word)
            except TrackingError as error:
                sys.stderr.write(f"{PROGRAM.label} {word}: {error}\n")
                return 1
            return int(group([arguments[0], *arguments[2:]] if is_asked else list(arguments[1:])) or 0)
    return app.main(PROGRAM, arguments)
