"""What ended a run, as text: all of it for error.txt, and the one line that run.json keeps."""

import re

from tracking.errors import InvalidValueError, quoted
from tracking.values import jsontext

MAX_LINE = 1000  # characters of the one line

_GROUP_MARGIN = re.compile(r"^ *[|+] ?", re.MULTILINE)


def told(error: str | BaseException) -> tuple[str, str]:
    """All that there is to say of an error, and the line that names it; text that is not valid Unicode is escaped.

    InvalidValueError for what is neither text nor an exception, or says nothing.
    """
    if isinstance(error, BaseException):
        import traceback  # which those runs need that fail

        whole = "".join(traceback.format_exception(error))
        named = "".join(traceback.format_exception_only(error))
    elif isinstance(error, str):
        whole = named = error
    else:
        raise InvalidValueError(f"error must be text or an exception, not {quoted(error)}")
    whole, named = jsontext.readable(whole), jsontext.readable(named)
    return whole, _one_line(named)


def _one_line(error: str) -> str:
    if error.lstrip().startswith("+ Exception Group Traceback"):
        # below that line are the exceptions of the group
        error = _GROUP_MARGIN.sub("", error.partition("\n  +-+--")[0])
    lines = error.splitlines()
    # of a traceback: the exception follows the last frame, and its own message may have more lines
    frames = [index for index, line in enumerate(lines) if line.startswith("  File ")]
    rest = [line for line in lines[frames[-1] if frames else 0 :] if line.strip()]
    said = next((index for index, line in enumerate(rest) if not line.startswith(" ")), 0)
    if not rest:
        raise InvalidValueError("error must say something; leave it out when there is nothing to say")
    # a message may begin with a new line
    parts = rest[said : said + 2] if rest[said].rstrip().endswith(":") else rest[said : said + 1]
    line = " ".join(part.strip() for part in parts)
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 3]}..."
