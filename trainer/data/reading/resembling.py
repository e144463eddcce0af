"""Text that looks like numbers or times, but in no way that is read: told, where it would be hundreds of categories.

Codes are no such text: digits joined by hyphens or dots, or by letters, may name anything.
"""

from typing import Any

MANY = 50  # different values, from which a column may be no categories
OFTEN = 5  # rows of each, from which it is some
SHARE = 0.9  # of the different values
_LOOKED_AT = 10_000  # of the different values

_N = r"[-+\x{2212}]?(?:[0-9]+(?:,[0-9]{2,3})*(?:\.[0-9]+)?|[0-9]+(?:[.'][0-9]{3})*(?:[.,][0-9]+)?|[.,][0-9]+)"
_PLAIN = r"[-+]?[0-9]+(?:\.[0-9]+)?"
_DECIMAL = r"[-+]?[0-9]+\.[0-9]+"
_DATE = (
    r"(?:(?:1[89]|2[01])[0-9]{2}[-/.][0-3]?[0-9][-/.][0-3]?[0-9]"
    r"|[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:(?:1[89]|2[01])[0-9]{2}|[0-9]{2}))"
)
_SEVERAL = (
    rf"[(\[{{]\s*{_PLAIN}(?:\s*[,;|\s]\s*{_PLAIN})+\s*[)\]}}]",
    rf"{_PLAIN}(?:\s*[;|xX\x{{d7}}]\s*{_PLAIN})+",
    rf"{_PLAIN}\s*/\s*{_PLAIN}",
    rf"{_PLAIN}(?:,\s+{_PLAIN})+",
    rf"{_DECIMAL}(?:\s*[,\s]\s*{_DECIMAL})+",
)
_WORD = r"[\pL]{3,}\.?,?"
_ALIKE = (
    *_SEVERAL,
    rf"[(~<>=≤≥±]*\s*[$€£¥]?\s*{_N}\s*(?:[-+*%‰$€£¥]|±\s*{_N})?\)?",
    rf"{_N}\s+\pL+\.?(?:/\pL+)?",  # with a unit
    rf"{_N}[a-zµ°][\pL]+(?:/\pL+)?",
    r"[-+]?[0-9]+\.[0-9]+[KMGTBkmb]",
    rf"(?:{_N}\s*[a-z]+\.?,?\s+)+{_N}\s*[a-z]+\.?",
    r"""[0-9]+'\s*(?:[0-9]+(?:\.[0-9]+)?")?""",
    r"-?P(?:[0-9.]+[YMWD])*(?:T(?:[0-9.]+[HMS])+)?",
    r"0x[0-9a-fA-F]+",
    r"[-+.,\x{66b}\x{660}-\x{669}\x{6f0}-\x{6f9}\x{966}-\x{96f}\x{ff10}-\x{ff19}]+",  # digits of other scripts
    rf"\[?{_DATE}(?:[T\s].{{0,20}})?",
    r"(?:1[89]|20)[0-9]{2}-[0-3][0-9]{2}",  # days of years
    r".{0,20}\b[0-9]{1,3}:[0-9]{2}\b.{0,15}",
    rf"(?:\pL+\.?,?\s+)?[0-9]{{1,2}}(?:\pL{{2}})?\.?(?:[-/.]|\s+(?:de\s+)?){_WORD}(?:[-/.]|\s+(?:de\s+)?)[0-9]{{2,4}}(?:[T,\s:].{{0,20}})?",
    rf"(?:\pL+\.?,?\s+)?{_WORD}\s+[0-9]{{1,2}}(?:\pL{{2}})?,?\s+[0-9]{{4}}(?:[T,\s:].{{0,20}})?",
)


def are_several(labels: Any) -> bool:
    """Whether nearly all of some different texts hold several numbers each."""
    return _share(labels, _SEVERAL) >= SHARE and _share(labels, (_DATE,)) < 1 - SHARE


def are_alike(labels: Any) -> bool:
    """Whether nearly all of some different texts look like numbers or times."""
    return _share(labels, _ALIKE) >= SHARE


def examples(labels: Any) -> tuple[str, ...]:
    """Return the first text, and the first that is written otherwise, if there is one."""
    import pyarrow.compute as pc

    labels = labels[:_LOOKED_AT]
    shapes = pc.replace_substring_regex(labels, "[0-9]+", "0").to_pylist()
    other = next((place for place, shape in enumerate(shapes) if shape != shapes[0]), 0)
    return tuple(dict.fromkeys(labels[place].as_py() for place in (0, other)))


def _share(labels: Any, patterns: tuple[str, ...]) -> float:
    import pyarrow.compute as pc

    labels = labels[:_LOOKED_AT]
    found = pc.match_substring_regex(labels, f"^(?:{'|'.join(patterns)})$")
    digits = pc.match_substring_regex(labels, r"\pN")
    return float(pc.mean(pc.and_(found, digits)).as_py() or 0)
