"""Words KEY=VALUE for a command line, quoted as a shell and Hydra need it: in advice, and for values that Hydra refuses.

Hydra reads a value by a grammar of its own, which has no place for `;`, `#`, `(`, letters beyond ASCII and more, unless they
stand in quotes.
"""

import csv
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

_FUNCTIONS = re.compile(
    r"(choice|range|interval|glob|tag|sort|shuffle|extend_list|int|float|str|bool|json_str)\("
)
_KEY = re.compile(r"\+{0,2}[A-Za-z_][\w./@:-]*")
_WORDS = ("null", "true", "false", "nan", "inf")  # that are no text to Hydra


def setting(key: str, value: str) -> str:
    """Return a word that sets a key to a text."""
    return f"{key}={value}" if _is_bare(value) else _word(key, [value], "{}")


def override(key: str, *values: str) -> str:
    """Return a word that sets a key to a list of texts."""
    if all(map(_is_bare, values)):
        return f"{key}=[{','.join(values)}]"
    return _word(key, values, "[{}]")


def refused(word: str) -> str | None:
    """Return what to write in the place of a word that Hydra cannot read; None where Hydra knows better."""
    key, equals, value = word.partition("=")
    if not equals or not _KEY.fullmatch(key):
        return f"{word!r} is not KEY=VALUE, such as data.target=y, without blanks around the ="
    if not value or _FUNCTIONS.match(value) or value[0] == "{":
        return None
    if value.startswith("~/"):
        return f"{word}: a shell leaves this ~ as it is; write {setting(key, str(Path(value).expanduser()))}"
    if value[0] == "[" and value[-1] != "]":
        return f"{word}: the list is not closed; a list with blanks in it needs quotes for the shell"
    if value[0] == "[":
        items = next(csv.reader([value[1:-1]], skipinitialspace=True), [])
        right = override(key, *(each.strip().strip("'\"") for each in items))
    else:
        right = setting(key, value.strip("'\"") or value)
    return f"{word}: Hydra reads this value only in quotes, with quotes for the shell around them: {right}"


def swept(word: str) -> str:
    """Return what to write in the place of a word whose commas make it a sweep, where none was asked for."""
    key, _, value = word.partition("=")
    parts = [each.strip() for each in value.split(",")]
    return (
        f"{word}: commas separate the values of a sweep, which -m starts; a list is {override(key, *parts)}, a text with a "
        f"comma {setting(key, value)}"
    )


def quoted(text: str) -> str:
    """Return a text in quotes for Hydra alone."""
    return "'" + _escaped(text, "'") + "'"


def _word(key: str, values: Sequence[str], form: str) -> str:
    """Return a word in quotes: outside for the shell, inside for Hydra; the outer are double unless these mean something."""
    if re.search(r'[$`!"\\]', "".join(values)):  # which a shell reads between double quotes
        texts = ",".join('"' + _escaped(each, '"') + '"' for each in values)
        return shlex.quote(f"{key}={form.format(texts)}")
    texts = ",".join(map(quoted, values))
    return f'"{key}={form.format(texts)}"'


def _escaped(text: str, quote: str) -> str:
    """Return a text for Hydra's quotes, where a backslash counts as itself unless a quote follows it."""
    return re.sub(rf"(\\*)({quote}|$)", lambda found: 2 * found[1] + ("\\" + quote if found[2] else ""), text)


def _is_bare(text: str) -> bool:
    """Whether a text means itself to Hydra and to a shell."""
    return bool(re.fullmatch(r"[A-Za-z_/][\w./-]*", text, re.ASCII)) and text.lower() not in _WORDS
