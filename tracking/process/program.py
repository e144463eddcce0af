"""How the user called this program, so that messages name further commands in the same way.

`podium` sets variables of the environment, because the commands that it starts and the jobs of a sweep speak alike. Without
them a message says `python -m tracking`, which works in a checkout that is not installed too.
"""

import os

# what the console command calls each package
NAMES = {"tracking": "podium", "sweeps": "podium sweeps", "trainer": "podium train"}


def variable(package: str) -> str:
    """Return the name of the variable that holds how a package is called."""
    return f"PODIUM_{package.upper()}_COMMAND"


def called_podium() -> None:
    """Keep that this program was called as `podium`."""
    os.environ.update({variable(package): name for package, name in NAMES.items()})


def command(words: str = "", package: str = "tracking") -> str:
    """Return a command as the user would type it: `command("stop run_001")` is `python -m tracking stop run_001`."""
    return f"{os.environ.get(variable(package)) or f'python -m {package}'} {words}".rstrip()


def spelled(text: str) -> str:
    """Return a help text, written with `python -m`, with the commands as the user would type them."""
    for package in NAMES:
        text = text.replace(f"python -m {package}", command(package=package))
    return text
