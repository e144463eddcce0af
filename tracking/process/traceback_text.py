"""The error that ended a run, as text: the full traceback for error.txt and one line for run.json."""

import re

from tracking.errors import InvalidValueError, quoted
from tracking.values import jsontext
from tracking.values.secrets import masked_text

MAX_LINE = 1000  # characters

_GROUP_MARGIN = re.compile(r"^ *[|+] ?", re.MULTILINE)


def describe(error: str | BaseException) -> tuple[str, str]:
    """Return the full text of an error and the line that names it, without secrets.

    Text that is not valid Unicode is escaped.

    Raise InvalidValueError for anything but text and exceptions, and for empty text.
    """
    if isinstance(error, BaseException):
        import traceback  # slow to import, and only a failed run needs it

        whole = "".join(traceback.format_exception(error))
        named = "".join(traceback.format_exception_only(error))
    elif isinstance(error, str):
        whole = named = error
    else:
        raise InvalidValueError(f"error must be text or an exception, not {quoted(error)}")
    whole, named = masked_text(jsontext.readable(whole)), masked_text(jsontext.readable(named))
    return whole, _one_line(named)


def _one_line(error: str) -> str:
    if error.lstrip().startswith("+ Exception Group Traceback"):
        # the exceptions of the group follow that line
        error = _GROUP_MARGIN.sub("", error.partition("\n  +-+--")[0])
    lines = error.splitlines()
    # the exception follows the last frame of a traceback, and its message may have several lines
    frames = [index for index, line in enumerate(lines) if line.startswith("  File ")]
    rest = [line for line in lines[frames[-1] if frames else 0 :] if line.strip()]
    said = next((index for index, line in enumerate(rest) if not line.startswith(" ")), 0)
    if not rest:
        raise InvalidValueError("error must not be empty; leave it out when there is none")
    # a message may start on the line after the name
    parts = rest[said : said + 2] if rest[said].rstrip().endswith(":") else rest[said : said + 1]
    line = " ".join(part.strip() for part in parts)
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 3]}..."
