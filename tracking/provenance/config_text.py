"""A configuration as YAML text, without its secrets and otherwise as it was.

There is no YAML parser in what this package may load, and none is needed: a line that opens with a key that looks
secret keeps the key and loses its value, with the deeper lines that belong to it. Groups in braces are read by their
brackets and quotes. Comments, order and layout stay.
"""

import json
import re
from collections.abc import Iterator

from tracking.secrets import MASK, is_secret, is_secret_text, masked, masked_urls

_KEY = r"""(?P<quote>["']?)(?P<name>(?<=["'])[^"'\n]+|[^\s"'\#{}\[\],&*!|>%@`:][^\#{}\[\],:\n]*?(?::\S[^\#{}\[\],:\n]*?)*)(?P=quote)"""
_LINE = re.compile(rf"(?P<lead>\s*(?:\#\s*)?(?:-\s+)*){_KEY}\s*:(?P<rest>\s.*|)", re.VERBOSE)
_ITEM = re.compile(r"\s*(?:-\s+)+(?P<rest>[\[{].*)")
_FLOW_KEY = re.compile(rf"(?<![\w\"'])(?:{_KEY})\s*:\s*", re.VERBOSE)
_FLOW_SCALAR = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,{}\[\]\n"']+""")
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
        if found:
            end = _end_of_value(lines, number, found, rest)
            if _hides(found["name"], rest, deeper=end > number):
                yield f"{found['lead']}{found['quote']}{found['name']}{found['quote']}: '{MASK}'\n"
                number = end
                continue
            if rest[:1] not in ("{", "["):
                yield line
                continue
        group = line
        while _depth(group) > 0 and number < len(lines):
            group += lines[number]
            number += 1
        yield _masked_flow(group, found.start("rest") if found else 0)


def _hides(name: str, rest: str, *, deeper: bool) -> bool:
    if rest.startswith(_BLOCK):
        return is_secret(name, "text")
    if rest[:1] in ("{", "[") or (not rest and deeper):
        return is_secret(name, {"group": True})
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
        is_item = not rest and "-" not in key["lead"] and inside == depth and line[inside:].startswith("- ")
        if line.strip() and inside <= depth and not is_item:
            break
        number += 1
        if line.strip():
            end = number
    return end


def _depth(text: str) -> int:
    """How many brackets of `text` are still open."""
    bare = re.sub(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?<!\S)\#[^\n]*""", "", text)
    return sum(bare.count(char) for char in "{[") - sum(bare.count(char) for char in "}]")


def _masked_flow(text: str, start: int) -> str:
    parts = []
    at = start
    done = 0
    while found := _FLOW_KEY.search(text, at):
        at = found.end()
        if text[at : at + 1] in ("{", "["):
            end = _closing(text, at)
            is_hidden = is_secret(found["name"], {"group": True})
        else:
            scalar = _FLOW_SCALAR.match(text, at)
            end = scalar.end() if scalar else at
            is_hidden = is_secret_text(found["name"], text[at:end])
        if is_hidden:
            parts += [text[done:at], f"'{MASK}'"]
            at = done = end
    return "".join([*parts, text[done:]])


def _closing(text: str, start: int) -> int:
    for end in range(start + 1, len(text) + 1):
        if text[end - 1] in "}]" and _depth(text[start:end]) == 0:
            return end
    return len(text)
