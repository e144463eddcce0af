"""Every error this package raises on purpose, as one tree.

TrackingError
├── InvalidNameError      (ValueError)         a name that could leave its folder, or is no name at all
├── InvalidValueError     (ValueError)         a parameter, metric, status or mode that cannot be kept
│   └── QueryError                             a filter that is not written in the language of filters
├── UnknownRunError       (LookupError)        no such run
├── RunInUseError         (RuntimeError)       a run that is running or that a model needs may not be deleted
├── UnknownModelError     (LookupError)        no such model, version or champion
├── MissingFileError      (FileNotFoundError)  a file to be logged or registered is not there
├── CorruptFileError      (ValueError)         a file of the store cannot be read as what it should be
│   └── NewerFormatError                       it was written by a newer version of this software
├── StoreUnwritableError  (OSError)            the store refuses to be written
└── ModelLoadError        (RuntimeError)       a model's files changed, or its loader may not be called

Catch TrackingError to catch them all; each also is the builtin one would expect.
"""

from typing import Any

MAX_QUOTED = 80  # characters of a value in a message


def quoted(value: Any) -> str:
    """A value as an error shows it: its repr on one line, cut when it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no int of more than 4300 digits
        text = f"{type(value).__name__} of very many digits"
    except Exception:  # noqa: BLE001 - the user's own code; an error about the value must not hide behind it
        text = f"<{type(value).__name__} object>"
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}..."


class TrackingError(Exception):
    """Base of all errors of this package; its text is one line meant for a person."""


class InvalidNameError(TrackingError, ValueError):
    """A name was refused at the border."""


class InvalidValueError(TrackingError, ValueError):
    """A value was refused because it could not be kept or compared."""


class QueryError(InvalidValueError):
    """A filter, field or order was not understood; the text of the error shows the place in lines of its own."""


class UnknownRunError(TrackingError, LookupError):
    """The store has no run of that id."""


class RunInUseError(TrackingError, RuntimeError):
    """A run may not be deleted now; nothing was changed."""


class UnknownModelError(TrackingError, LookupError):
    """The registry has no such model, version or champion."""


class MissingFileError(TrackingError, FileNotFoundError):
    """A file named by the caller does not exist or is no file."""


class CorruptFileError(TrackingError, ValueError):
    """A file of the store is damaged; it was left as it is."""


class NewerFormatError(CorruptFileError):
    """A file of the store was written by a newer version of this software; it is neither read nor changed."""


class StoreUnwritableError(TrackingError, OSError):
    """The store could not be written; what was there before is untouched."""


class ModelLoadError(TrackingError, RuntimeError):
    """A registered model was not loaded because it could not be trusted."""
