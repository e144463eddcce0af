"""A configuration as YAML text, without its secrets and otherwise as it was.

There is no YAML parser in what this package may load, and none is needed: a line that opens with a key that looks
secret keeps the key and loses its value, with the deeper lines that belong to it. Groups in braces are read by their
brackets and quotes. Comments, order and layout stay.
"""

import json
import re
from collections.abc import Iterator

from tracking.values.secrets import MASK, is_secret, is_secret_text, masked, masked_urls

_PLAIN = r"""[^\s"'\#{}\[\],&*!|>%@`:][^\#{}\[\],:\n]*?(?::\S[^\#{}\[\],:\n]*?)*"""
_KEY = rf"""(?P<quote>["'])?(?P<name>(?(quote)[^"'\n]+|{_PLAIN}))(?(quote)(?P=quote))"""
_LINE = re.compile(rf"(?P<lead>\s*+(?:\#\s*+)?(?:-\s++)*+){_KEY}\s*:(?P<rest>\s.*|)", re.VERBOSE)
_ITEM = re.compile(r"\s*(?:-\s+)+(?P<rest>[\[{].*)")
_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'"""
_FLOW_KEY = re.compile(rf"{_KEY}\s*:(?=[\s\[{{\"'])\s*|(?P<json>{_QUOTED})\s*:\s*", re.VERBOSE)
_FLOW_SCALAR = re.compile(rf"""{_QUOTED}|[^\s,{{}}\[\]"'][^,{{}}\[\]\n]*""", re.DOTALL)
_BRACKETS = re.compile(rf"(?<![^\s,\[{{:])(?:{_QUOTED})|(?<!\S)\#[^\n]*|[{{}}\[\]]", re.DOTALL)
_COMMENT = re.compile(r"\s#.*")
_BLOCK = ("|", ">")


def masked_yaml(text: str) -> str:
    """`text` with "***" for the values of keys that look secret, and without the passwords in URLs."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        lines = text.splitlines(keepends=True)
        return masked_urls("".join(_masked_lines(lines)))
    hidden = masked(value)
    return text if hidden == value else json.dumps(hidden, indent=2, ensure_ascii=False) + "\n"


def _masked_lines(lines: list[str]) -> Iterator[str]:
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        body = line.rstrip("\r\n")
        found = _LINE.fullmatch(body)
        rest = found["rest"].strip() if found else ""
        if not found and body.lstrip()[:1] not in ("{", "[") and not _ITEM.fullmatch(body):
            yield line
            continue
        end = _end_of_value(lines, number, found, rest) if found and is_secret(found["name"], "text") else 0
        if found and end and _hides(found["name"], rest, deeper=end > number):
            yield f"{body[: found.end('name') + bool(found['quote'])]}: '{MASK}'\n"
            number = end
            continue
        if found and rest[:1] not in ("{", "["):
            yield line
            continue
        end = _end_of_group(lines, number)
        yield _masked_flow("".join(lines[number - 1 : end]), found.start("rest") if found else 0)
        number = end


def _hides(name: str, rest: str, *, deeper: bool) -> bool:
    if rest.startswith(_BLOCK):
        return is_secret(name, "text")
    if not rest and deeper:
        return is_secret(name, [rest])
    if rest[:1] in ("{", "["):
        return is_secret(name, _group(rest))
    return is_secret_text(name, _COMMENT.sub("", rest))


def _end_of_value(lines: list[str], start: int, key: re.Match[str], rest: str) -> int:
    """The first line after those that belong to the value of `key`: deeper ones, or a list at its own depth."""
    if "#" in key["lead"]:
        return start
    depth = len(key["lead"])
    end = number = start
    while number < len(lines):
        line = lines[number]
        inside = len(line) - len(line.lstrip(" "))
        is_item = not rest and inside == depth and line[inside:].startswith("- ")
        if line.strip() and inside <= depth and not is_item:
            break
        number += 1
        if line.strip():
            end = number
    return end


def _end_of_group(lines: list[str], start: int) -> int:
    """The first line after the brackets that the line before `start` opens; `start` when they are never closed."""
    for size in (
        0,
        8,
        128,
        len(lines),
    ):  # most are closed at once; what is joined grows only for those that are not
        text = "".join(lines[start - 1 : start + size])
        opens = re.search(r"(?:^|\s)[\[{]", text)
        end = _closing(text, opens.end() - 1) if opens else 0
        if end:
            return start + text.count("\n", 0, end)
    return start


def _closing(text: str, start: int) -> int:
    """The end of the group that opens at `start`; 0 when it is not closed."""
    depth = 0
    for bracket in _BRACKETS.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(bracket[0], 0)
        if not depth:
            return bracket.end()
    return 0


def _masked_flow(text: str, start: int) -> str:
    parts: list[str] = []
    done = at = start
    while at < len(text):
        key = _FLOW_KEY.match(text, at)
        if not key:
            other = _FLOW_SCALAR.match(text, at)
            at = other.end() if other else at + 1
            continue
        at = key.end()
        name = key["name"] or key["json"][1:-1]
        if text[at : at + 1] in ("{", "["):
            end = _closing(text, at) or len(text)
            is_hidden = is_secret(name, _group(text[at:end]))
        else:
            scalar = _FLOW_SCALAR.match(text, at)
            end = scalar.end() if scalar else at
            is_hidden = is_secret_text(name, text[at:end])
        if is_hidden:
            parts += [text[done:at], f"'{MASK}'"]
            at = done = end
    return text[:start] + "".join([*parts, text[done:]])


def _group(text: str) -> list[str]:
    """What stands for a group in brackets when only its being empty matters."""
    return [] if re.fullmatch(r"[{\[]\s*[}\]]", text) else [text]
