"""Podium's own packages beside a user's code, which may have modules of the same names.

The folder of a script comes first on Python's path. So a module there that is called ``tracking`` or ``sweeps`` is
imported in place of podium's. Whatever Hydra calls first asks here before it imports them. Every Hydra app imports this
module, so it imports nothing else.
"""

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]  # the folder of podium's packages
LOADED = "__is_loaded_by_podium__"  # set on a package, because Hydra may load this module a second time


def hidden(*packages: str, path: Sequence[str] | None = None) -> str | None:
    """Return a message that names the file in place of one of podium's packages, None if there is none.

    `path` is where they are looked for, by default where Python does.
    """
    for name in packages:
        for place in (_loaded(name), None if path is None and _is_safe(name) else _found(name, path)):
            if place is not None and _is_foreign(place, name):
                return (
                    f"{str(place)!r} takes the place of podium's package {name!r}; "
                    f"rename that {_kind(place)}, also where your code imports it"
                )
    return None


def load_own(*packages: str) -> None:
    """Import podium's packages from their own folder, whatever modules of the same names come first on the path."""
    path = [*sys.path]
    sys.path.insert(0, str(ROOT))
    try:
        for name in packages:
            vars(import_module(name))[LOADED] = True
    finally:
        sys.path[:] = path


def namesakes(*packages: str) -> Iterator[str]:
    """Yield a warning for each module of the user's that `load_own` has put behind podium's."""
    for name in packages:
        place = _found(name, None)
        if place is not None and _is_foreign(place, name):
            yield (
                f"{str(place)!r} has the name of podium's package {name!r}, which is what code here imports by it; "
                f"rename that {_kind(place)} if yours needs it"
            )


def _is_safe(name: str) -> bool:
    """Whether `load_own` has imported a package, which no other module hides any more."""
    return hasattr(sys.modules.get(name), LOADED)


def _is_foreign(place: Path, name: str) -> bool:
    return place.parent.resolve() not in (ROOT, ROOT / name) and not _is_podium(place)


def _kind(place: Path) -> str:
    return "folder" if place.is_dir() or place.name == "__init__.py" else "file"


def _is_podium(place: Path) -> bool:
    """Return whether a package stands in a checkout of podium, which is used whole, and not in a user's folder."""
    own = Path(__file__).resolve().relative_to(ROOT)
    return any((folder / own).is_file() for folder in place.resolve().parents[:2])


def refusal(*packages: str) -> str | None:
    """Return why the sweeper or the launcher cannot run: one of these packages is hidden, or libraries are missing."""
    message = hidden(*packages)
    if message is not None:
        return message
    from tracking.extras import missing

    return missing("sweeps")


def tracking_callback(**settings: Any) -> Any:
    """Return `tracking.integrations.hydra.TrackingCallback`; exit with one message where `tracking` is hidden."""
    message = hidden("tracking")
    if message is not None:
        sys.exit(message)  # Hydra would wrap any other error in advice that does not fit
    from tracking.integrations.hydra import TrackingCallback

    return TrackingCallback(**settings)


def _loaded(name: str) -> Path | None:
    module = sys.modules.get(name)
    return _place(getattr(module, "__file__", None), getattr(module, "__path__", ()))


def _found(name: str, path: Sequence[str] | None) -> Path | None:
    spec = PathFinder.find_spec(name, path)
    return None if spec is None else _place(spec.origin, spec.submodule_search_locations)


def _place(file: str | None, folders: Any) -> Path | None:
    place = file or next(iter(folders or ()), None)
    return None if place is None else Path(place).absolute()
