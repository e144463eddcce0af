"""Where modules that the user names are looked for: a scorer by its dotted name, a loader of a package that is allowed.

`python -m tracking` finds them in the folder that it is called in, and the console command `podium` finds them there too. That folder is
left out of the path until such a module is asked for: it may hold modules of the names of packages that podium itself imports.
"""

import contextlib
import os
import sys
from pathlib import Path

_called_in: str | None = None


def remember_folder() -> None:
    """Keep the folder that a console command is called in, as the first place for modules of the user's."""
    global _called_in
    with contextlib.suppress(OSError):  # a folder that is gone holds no modules
        _called_in = str(Path.cwd())


def users_path() -> list[str]:
    """Return the path of imports for code of the user's: `sys.path` as `python -m` would have it.

    In other programs than a console command this is `sys.path` itself, and where Python was told to leave the folder out
    (PYTHONSAFEPATH).
    """
    path = [entry for entry in sys.path if isinstance(entry, str)]
    if _called_in is None or sys.flags.safe_path:
        return path
    # first, so that a module of the user's wins over an installed one of the same name, as it does with `python -m`
    return [_called_in, *(entry for entry in path if entry and os.path.realpath(entry) != _called_in)]


def find_users_modules() -> None:
    """Let this process import modules of the user's from now on, by `users_path`."""
    sys.path[:] = users_path()
