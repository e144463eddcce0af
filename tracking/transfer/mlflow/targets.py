"""Where an export goes: an address as MLflow names it, checked before MLflow is asked, and how messages show it."""

import os
import re
from pathlib import Path

from tracking.errors import InvalidNameError, InvalidValueError, TrackingError, quoted
from tracking.values.secrets import masked_text

DATABASE_ENDINGS = (".db", ".sqlite", ".sqlite3")
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*://|databricks", re.IGNORECASE)
_HALF_SCHEME = re.compile(
    r"(https?|sqlite|postgres(?:ql)?|mysql|mssql)(\+\w+)?:/*(?P<rest>.*)", re.IGNORECASE
)
_HOST = re.compile(r"(?:localhost|[\w\-]+(?:\.[\w\-]+)*):\d{1,5}(?:/.*)?")
EXAMPLES = "sqlite:///mlflow.db or http://localhost:5000"


def check_target(to: str | None) -> str:
    """Return where to export to; raise InvalidValueError if nothing was said."""
    if to is None:
        raise InvalidValueError(
            "--format mlflow needs --to: sqlite:///mlflow.db, the address of a server such as "
            "http://localhost:5000, or the path of a database"
        )
    return checked_uri(to)


def checked_uri(to: str) -> str:
    """Return where to export to as MLflow names it; the path of a file means SQLite, that of a folder its file store."""
    if not isinstance(to, str) or not to.strip() or "\0" in to:
        raise InvalidNameError(f"{quoted(to)} is no place to export to; give one such as {EXAMPLES}")
    if _SCHEME.match(to):
        _refuse_memory(to)
        return to
    path = Path(to).expanduser().absolute()
    if not path.exists():
        if half := _HALF_SCHEME.fullmatch(to):
            slashes = "///" if half[1].lower() == "sqlite" else "//"
            whole = f"{half[1]}{half[2] or ''}:{slashes}{half['rest']}"
            raise InvalidNameError(f"{quoted(shown(to))} lacks slashes; write {shown(whole)}")
        if _HOST.fullmatch(to):
            raise InvalidNameError(f"{quoted(to)} has no scheme; write http://{to}")
    if path.is_file() or path.suffix in DATABASE_ENDINGS:
        return f"sqlite:///{path}"
    return path.as_uri()


def _refuse_memory(uri: str) -> None:
    """Refuse a database of SQLite that is no file: nothing that is sent there would be kept."""
    scheme, _, rest = uri.partition("://")
    if scheme.lower().split("+")[0] != "sqlite":
        return
    path, _, options = rest.removeprefix("/").partition("?")
    if not path or path == ":memory:" or path.startswith("file:") or "mode=memory" in options:
        raise InvalidNameError(
            f"{quoted(uri)} names no file, so nothing would be kept; give one: sqlite:///mlflow.db"
        )


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite address; None for any other."""
    scheme, _, rest = uri.partition(":///")
    is_sqlite = scheme.lower().split("+")[0] == "sqlite"
    return Path(rest.partition("?")[0]).absolute() if is_sqlite and rest else None


def check_database(path: Path) -> None:
    """Raise TrackingError for the file of a database that cannot be made or written; MLflow would try for minutes."""
    if path.is_dir():
        raise TrackingError(f"{str(path)!r} is a folder; name a file in it, such as {path / 'mlflow.db'}")
    if not path.parent.is_dir():
        raise TrackingError(f"there is no folder {str(path.parent)!r} for the database {path.name}")
    if path.exists() and not path.is_file():
        raise TrackingError(f"{str(path)!r} is no file; name the file of a database")
    # SQLite makes a journal beside the file
    for place in (path, path.parent) if path.exists() else (path.parent,):
        if not os.access(place, os.W_OK):
            raise TrackingError(f"{str(place)!r} is read-only for this user; give another place with --to")


def shown(uri: str) -> str:
    """Return an address, or a text with one, as messages show it: without passwords and tokens."""
    return masked_text(re.sub(r"//[^/@\s]*@", "//***@", uri))
