"""Every error that this package raises, as one tree.

TrackingError
├── InvalidNameError      (ValueError)         a name that could leave its folder, or is not a name
├── InvalidValueError     (ValueError)         a parameter, metric, status or mode that cannot be kept
│   └── QueryError                             a filter that does not follow the query language
├── UnknownRunError       (LookupError)        no such run
├── RunInUseError         (RuntimeError)       a run that is running, or that a model needs, cannot be deleted
├── UnknownModelError     (LookupError)        no such model, version or champion
├── ChampionChangedError  (RuntimeError)       a model got another champion meanwhile; nothing was promoted
├── MissingFileError      (FileNotFoundError)  a file to be logged or registered does not exist
├── CorruptFileError      (ValueError)         a file of the store is damaged
│   ├── NewerFormatError                       a newer version of this software wrote it
│   └── UnreadableFileError                    the system refuses to read it, or it is a link, a pipe, a folder
├── StoreUnwritableError  (OSError)            the system refuses to write to the store
├── ModelLoadError        (RuntimeError)       a model's files changed, or its loader is not allowed
├── RerunError            (RuntimeError)       a run cannot be made again
└── MissingExtraError     (ImportError)        an optional library is not installed

TrackingError catches them all; each is also the builtin error in brackets.
"""

from pathlib import Path
from typing import Any

MAX_QUOTED = 80  # characters of a value in a message


def quoted(value: Any) -> str:
    """Return the repr of a value for a message, cut when it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no int of more than 4300 digits
        text = f"{type(value).__name__} of very many digits"
    except Exception:  # noqa: BLE001 - the user's own code must not hide the error about the value
        text = f"<{type(value).__name__} object>"
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}..."


class TrackingError(Exception):
    """Base of all errors of this package; its text is one line for a person."""


class InvalidNameError(TrackingError, ValueError):
    """A name is not valid."""


class InvalidValueError(TrackingError, ValueError):
    """A value cannot be kept or compared."""


class QueryError(InvalidValueError):
    """A filter, field or order is not valid; further lines of the text show the place."""


class UnknownRunError(TrackingError, LookupError):
    """The store has no run with that id."""


class RunInUseError(TrackingError, RuntimeError):
    """A run cannot be deleted now; nothing was changed."""


class UnknownModelError(TrackingError, LookupError):
    """The registry has no such model, version or champion."""


class ChampionChangedError(TrackingError, RuntimeError):
    """A model got another champion than the one that was to be replaced; nothing was promoted."""


class MissingFileError(TrackingError, FileNotFoundError):
    """A file named by the caller does not exist or is not a file."""


class CorruptFileError(TrackingError, ValueError):
    """A file of the store is damaged; it was not changed."""


class NewerFormatError(CorruptFileError):
    """A newer version of this software wrote a file of the store; it is neither read nor changed."""


class UnreadableFileError(CorruptFileError):
    """The system refuses to read a file of the store, or there is no file at `path` but a link, a pipe or a folder."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path

    def __reduce__(self) -> tuple[type["UnreadableFileError"], tuple[str, Path]]:
        return UnreadableFileError, (str(self), self.path)  # with both arguments, unlike other exceptions


class StoreUnwritableError(TrackingError, OSError):
    """The store could not be written; what was there before is unchanged."""


class ModelLoadError(TrackingError, RuntimeError):
    """A registered model was not loaded because it cannot be trusted."""


class RerunError(TrackingError, RuntimeError):
    """A run cannot be made again; the text says what is missing."""


class MissingExtraError(TrackingError, ImportError):
    """An optional library is not installed; the message names the extra of podium that installs it."""
