"""One rule for what looks secret, by its name. All that is written about a run passes it.

A name is split into words at `_ . -`, spaces and capitals. It looks secret when it has a word of STRONG or a pair of
PAIRS, or ends in `token` and has text as its value. A number is a setting (`max_tokens`, `password_length`) unless
the name ends in a strong word; booleans, None and the empty text are never secret. Neither are the tokens of
language models (`pad_token: <pad>`).
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"

PAIRS = frozenset(
    {("access", "key"), ("api", "key"), ("auth", "token"), ("encryption", "key"), ("private", "key")}
)
STRONG = frozenset(map("".join, PAIRS)) | {  # a pair may be written as one word
    "authorization",
    "bearer",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pwd",
    "secret",
    "secrets",
}
MODEL_TOKENS = frozenset(
    {"begin", "bos", "cls", "end", "eos", "image", "mask", "pad", "prefix", "sep", "special", "start", "stop", "suffix", "unk"}
)  # fmt: skip  # one word a line would take 16 lines

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_URL = re.compile(r"([a-zA-Z][\w+.-]*://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)")
_URL_TOKEN = re.compile(r"((?:https?|ftps?)://)[^\s/:@'\"]+(?=:?@)", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"(?P<name>[\w.+~@/-]+)=(?P<value>.*)", re.DOTALL)
_QUOTED = r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
# A key in braces, of JSON or of Hydra (no space after the colon needed); or quoted text, which has no keys.
_KEY = re.compile(
    r"""(?:(?P<quote>["'])(?P<quoted>[^"'\\]++)(?P=quote)|(?<![\w.+~@/-])(?P<name>[\w.+~@/-]++))\s*+:\s*+"""
    rf"|(?<!\w)(?:{_QUOTED})",
    re.DOTALL,
)
_SCALAR = re.compile(rf"{_QUOTED}|[^,{{}}\[\]]*+", re.DOTALL)
_BRACKETS = re.compile(rf"(?<!\w)(?:{_QUOTED})|[{{}}\[\]]", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")
_NOTHING = frozenset({"", "~", "null", "none", "true", "false", "yes", "no", "on", "off"})


def is_secret(name: Any, value: Any) -> bool:
    """Return whether `value` must not be written down, judged by its name."""
    if value is None or isinstance(value, bool) or (not value and not isinstance(value, int | float)):
        return False
    words = [word.lower() for word in _WORD.findall(str(name))]
    if isinstance(value, int | float):
        return bool(words) and (words[-1] in STRONG or tuple(words[-2:]) in PAIRS)
    return _is_strong(words) or (isinstance(value, str) and _is_token(words, value))


def is_secret_text(name: Any, text: str) -> bool:
    """Return `is_secret` for a value given as text, from a command line or a file: `7`, `true`, `hunter2`."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return is_secret(name, text[1:-1])
    if text.lower() in _NOTHING or text == MASK:
        return False
    return is_secret(name, 1 if _NUMBER.fullmatch(text) else text)


def masked(value: Any) -> Any:
    """Return `value` with MASK for what looks secret, at any depth of dicts and lists, and for passwords in URLs."""
    if isinstance(value, str):
        return masked_urls(value)
    if isinstance(value, Mapping):
        return {key: MASK if is_secret(key, item) else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def masked_urls(text: str) -> str:
    """Return `text` with MASK for passwords in URLs such as `postgres://me:hunter2@host/db`, and tokens in web addresses.

    A token stands alone before the `@` of `https://...@host`; in other schemes that is a user.
    """
    return _URL_TOKEN.sub(rf"\1{MASK}", _URL.sub(rf"\1{MASK}", text)) if "://" in text else text


def masked_command(arguments: Iterable[str]) -> list[str]:
    """Return a command line with its secrets masked: `--password=x`, `--api-key x`, `db.pwd=x`, `db={password: x}`."""
    shown = []
    before = ""
    for argument in map(str, arguments):
        assignment = _ASSIGNMENT.fullmatch(argument)
        if before and not argument.startswith("-") and is_secret_text(before, argument):
            shown.append(MASK)
        elif assignment and is_secret_text(assignment["name"], assignment["value"]):
            shown.append(f"{assignment['name']}={MASK}")
        else:
            shown.append(masked_urls(_masked_braces(argument)))
        before = argument.lstrip("-") if argument.startswith("--") and not assignment else ""
    return shown


def _masked_braces(text: str) -> str:
    shown: list[str] = []
    done, at = 0, text.find("{")
    while at >= 0 and (key := _KEY.search(text, at)):
        at = key.end()
        name = key["name"] or key["quoted"]
        is_group = text.startswith(("{", "["), at)
        # finding the end of a group is slow, so only of those that look secret
        if name and is_secret(name, ["any"] if is_group else "any"):
            value = text[at : _end_of_value(text, at)]
            if is_group or is_secret_text(name, value):
                quote = value[0] if value[0] in "'\"" else ""
                shown += [text[done:at], f"{quote}{MASK}{quote}"]
                at = done = at + len(value)
    return "".join([*shown, text[done:]])


def _end_of_value(text: str, start: int) -> int:
    if not text.startswith(("{", "[", "${"), start):
        return _SCALAR.match(text, start).end()  # type: ignore[union-attr]  # it matches the empty text
    depth = 0
    for bracket in _BRACKETS.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(bracket[0], 0)
        if not depth:
            return bracket.end()
    return len(text)


def _is_strong(words: list[str]) -> bool:
    return not STRONG.isdisjoint(words) or not PAIRS.isdisjoint(itertools.pairwise(words))


def _is_token(words: list[str], value: str) -> bool:
    if words[-1:] != ["token"] or not MODEL_TOKENS.isdisjoint(words):
        return False
    # <s>, </s>, [PAD], <|endoftext|>: how language models write theirs
    return value[:1] + value[-1:] not in ("<>", "[]")
