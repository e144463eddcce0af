"""One rule for what looks secret. All that is written about a run passes it, but the patch and artifacts.

By its name: a name is split into words at `_ . -`, spaces and capitals. It looks secret when it has a word of STRONG or a
pair of PAIRS, or ends in a word of WEAK and has text as its value. A number is a setting (`max_tokens`, `password_length`)
unless the name ends in a strong word; booleans, None and the empty text are never secret. Neither are the tokens of
language models (`pad_token: <pad>`) and other names with a word of SETTINGS (`loss_per_token`).

By itself, anywhere in a text: passwords and tokens in URLs and their queries, JSON web tokens, keys of well-known form, and
what is assigned to a secret name (`password=hunter2`).

The variable PODIUM_MASK changes both: `off` masks nothing, and a list of names, such as `-initializer_token,+customer*`,
says which are no secrets and which are.
"""

import functools
import itertools
import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from tracking.values.names import exact

MASK = "***"
VARIABLE = "PODIUM_MASK"

PAIRS = frozenset(
    {("access", "key"), ("account", "key"), ("api", "key"), ("auth", "token"), ("encryption", "key"), ("license", "key"),
     ("private", "key"), ("signing", "key"), ("ssh", "key"), ("storage", "key"), ("subscription", "key")}
)  # fmt: skip  # one pair a line would take 11 lines
STRONG = frozenset(map("".join, PAIRS)) | {  # a pair may be written as one word
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "jwt",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pwd",
    "secret",
    "secrets",
}
WEAK = frozenset({"token", "pass"})
SETTINGS = frozenset(
    {"all", "audio", "backward", "begin", "blank", "bos", "class", "cls", "decoder", "delimiter", "dummy", "empty", "end", "eod",
     "eos", "eot", "first", "forced", "forward", "high", "image", "initializer", "instance", "lang", "language", "last", "low",
     "mask", "modifier", "multi", "next", "one", "pad", "per", "placeholder", "prefix", "prompt", "query", "register", "second",
     "sep", "separator", "single", "source", "special", "speech", "src", "start", "stop", "suffix", "summary", "target", "tgt",
     "trigger", "two", "unk", "video", "vision", "vocab", "word"}
)  # fmt: skip  # a list of words reads best as a paragraph
# Names of parameters of a URL that hold a secret there, though not in a config.
IN_QUERIES = frozenset({"auth", "key", "pass", "pw", "sig", "signature", "token"})


class _Pattern:
    """A regular expression that is compiled when it is first used: most processes meet few texts that hold a secret."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, method: str) -> Any:
        """Return a method of the compiled expression, and keep it."""
        found = self.__dict__[method] = getattr(re.compile(self._text, self._flags), method)
        return found


_WORD = _Pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_URL = _Pattern(r"(?<![\w+.-])([a-zA-Z][\w+.-]*+://[^\s/:@'\"]*:)[^\s/?#'\"]+(?=@)")
_URL_TOKEN = _Pattern(r"((?:https?|ftps?)://)[^\s/:@'\"]+(?=:?@)", re.IGNORECASE)
_QUERY = _Pattern(r"(?P<lead>[?&;#](?P<name>[\w.%-]++)=)(?P<value>[^\s&;#'\"<>),]++)")
_KEYS = _Pattern(  # of GitHub, GitLab, Hugging Face, OpenAI and others, Slack, AWS, Google; JWTs; PEM
    r"(?<![\w-])(?:gh[opsur]_\w{20,}+|github_pat_\w{20,}+|glpat-[\w-]{16,}+|hf_[a-zA-Z0-9]{20,}+|sk-[\w-]{20,}+"
    r"|xox[abeprs]-[\w-]{10,}+|A[KS]IA[A-Z0-9]{16}(?!\w)|AIza[\w-]{35}(?!\w)|eyJ[\w-]{5,}+\.[\w-]{4,}+(?:\.[\w-]*+)*+)"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_BEARER = _Pattern(r"(\bbearer\s{1,3})(?=[^\s\d]*+\d)[\w.~+/=-]{8,}+", re.IGNORECASE)
_HEADER = _Pattern(
    r"""(\bauthorization(?:\\*["'])?\s{0,3}[:=]\s{0,3}(?:\\*["'])?)(?:[a-z]{1,20}\s{1,3})?[^\s"',\\]++""",
    re.IGNORECASE,
)
_HAS_KEY = _Pattern(r"gh[opsur]_|_pat_|glpat-|hf_|sk-|xox|A[KS]IA|AIza|eyJ|PRIVATE KEY")
_HAS_NAME = _Pattern(
    "pass|pwd|pw=|secret|credential|bearer|authorization|key|token|jwt|cookie|sig|auth", re.IGNORECASE
)
_SET = _Pattern(
    r"""(?<![\w.-])(?P<name>[\w.-]++)(?P<mid>(?:\\{0,3}["'])?[ \t]{0,3}(?:(?<![=!<>])=(?!=)|:(?![:/=]))[ \t]{0,3}\\{0,3})"""
    r"""(?P<value>"[^"\n]*+"?|'[^'\n]*+'?|[^\s,;&)\]}'"]++)"""
)
_OPTION = _Pattern(
    r"""(?<![\w-])--(?P<name>[a-zA-Z][\w.-]*+)(?P<mid>['"]?,?[ \t]{1,3}['"]?)(?!-)(?P<value>[^\s'",\]]++)"""
)
_RANDOM = _Pattern(r"(?=\D*\d)[\w+/=.~-]{8,}")  # what a token looks like, and a variable's name hardly ever
_ASSIGNMENT = _Pattern(r"(?P<name>[\w.+~@/-]+)=(?P<value>.*)", re.DOTALL)
_QUOTED = r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
# A key in braces, of JSON or of Hydra (no space after the colon needed); or quoted text, which has no keys.
_KEY = _Pattern(
    r"""(?:(?P<quote>["'])(?P<quoted>[^"'\\]++)(?P=quote)|(?<![\w.+~@/-])(?P<name>[\w.+~@/-]++))\s*+:\s*+"""
    rf"|(?<!\w)(?:{_QUOTED})",
    re.DOTALL,
)
_SCALAR = _Pattern(rf"{_QUOTED}|[^,{{}}\[\]]*+", re.DOTALL)
_BRACKETS = _Pattern(rf"(?<!\w)(?:{_QUOTED})|[{{}}\[\]]", re.DOTALL)
_NUMBER = _Pattern(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")
_NOTHING = frozenset({"", "~", "null", "none", "true", "false", "yes", "no", "on", "off"})


class _Policy(NamedTuple):
    """What PODIUM_MASK says: patterns of names, in small letters."""

    is_off: bool = False
    secret: tuple[str, ...] = ()
    open: tuple[str, ...] = ()

    def of(self, name: str) -> bool | None:
        """Return whether a name was said to be secret; None when it was not said."""
        whole = name.lower().lstrip("-+~")  # as a command line writes it
        forms = (whole, whole.rpartition(".")[2])
        for patterns, answer in ((self.open, False), (self.secret, True)):
            if any(fnmatchcase(form, pattern) for form in forms for pattern in patterns):
                return answer
        return None


_USUAL = _Policy()


@functools.lru_cache(maxsize=8)
def _policy_in(text: str) -> _Policy:
    if text.strip().lower() in ("off", "0", "false", "no"):
        return _Policy(is_off=True)
    names = [name.strip().lower() for name in text.split(",")]
    secret = (name.removeprefix("+") for name in names if not name.startswith("-"))
    return _Policy(False, tuple(filter(None, secret)), tuple(name[1:] for name in names if name[:1] == "-"))


def _policy() -> _Policy:
    return _policy_in(os.environ.get(VARIABLE, ""))


def is_secret(name: Any, value: Any) -> bool:
    """Return whether `value` must not be written down, judged by its name."""
    if value is None or isinstance(value, bool) or (not value and not isinstance(value, int | float)):
        return False
    policy = _policy()
    if policy.is_off:
        return False
    if policy != _USUAL and (said := policy.of(str(name))) is not None:
        return said
    words = _words(name)
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
    """Return `value` with MASK for what looks secret, at any depth of dicts and lists, by names and within texts."""
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, Mapping):
        return {key: MASK if is_secret(key, item) else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def masked_text(text: str) -> str:
    """Return a text of any kind with MASK for the secrets in it; see the module."""
    policy = _policy()
    if policy.is_off:
        return text
    text = _masked_alone(text)
    if policy.secret or _HAS_NAME.search(text):
        text = _HEADER.sub(rf"\1{MASK}", text)
        for pattern in (_SET, _OPTION):
            text = pattern.sub(_masked_value, text)
    return text


def _masked_alone(text: str) -> str:
    """Mask what is secret wherever it stands, such as `postgres://me:hunter2@host/db`, and tokens in web addresses.

    A token stands alone before the `@` of `https://...@host`; in other schemes that is a user.
    """
    if _policy().is_off:
        return text
    if "://" in text:
        text = _URL_TOKEN.sub(rf"\1{MASK}", _URL.sub(rf"\1{MASK}", text))
    if "=" in text:
        text = _QUERY.sub(_masked_query, text)
    if _HAS_KEY.search(text):
        text = _KEYS.sub(MASK, text)
    return _BEARER.sub(rf"\1{MASK}", text) if "bearer" in text.lower() else text


def _masked_query(found: re.Match[str]) -> str:
    said = _policy().of(found["name"])
    words = _words(found["name"])
    is_hidden = said if said is not None else _is_strong(words) or (bool(words) and words[-1] in IN_QUERIES)
    return f"{found['lead']}{MASK}" if is_hidden else found[0]


def _masked_value(found: re.Match[str]) -> str:
    value = found["value"].strip("'\"")
    if not is_secret_text(found["name"], value):
        return found[0]
    if not (_is_strong(_words(found["name"])) or _policy().of(found["name"]) or _RANDOM.fullmatch(value)):
        return found[0]  # `token = next_token` in a line of code
    return found[0][: found.start("value") - found.start()] + found["value"].replace(value, MASK)


def masked_command(arguments: Iterable[str]) -> list[str]:
    """Return a command line with its secrets masked: `--password=x`, `--api-key x`, `db.pwd=x`, `db={password: x}`."""
    shown: list[str] = []
    before = ""
    for argument in map(exact, arguments):
        assignment = _ASSIGNMENT.fullmatch(argument)
        if before and not argument.startswith("-") and is_secret_text(before, argument):
            shown.append(MASK)
        elif assignment and is_secret_text(assignment["name"], assignment["value"]):
            shown.append(f"{assignment['name']}={MASK}")
        else:
            shown.append(masked_text(_masked_braces(argument)))
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
        return int(_SCALAR.match(text, start).end())  # it matches the empty text
    depth = 0
    for bracket in _BRACKETS.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(bracket[0], 0)
        if not depth:
            return int(bracket.end())
    return len(text)


def _words(name: Any) -> list[str]:
    return [word.lower() for word in _WORD.findall(str(name))]


def _is_strong(words: list[str]) -> bool:
    return not STRONG.isdisjoint(words) or not PAIRS.isdisjoint(itertools.pairwise(words))


def _is_token(words: list[str], value: str) -> bool:
    if not words or words[-1] not in WEAK or not SETTINGS.isdisjoint(words):
        return False
    # <s>, </s>, [PAD], <|endoftext|>: how language models write theirs
    return value[:1] + value[-1:] not in ("<>", "[]")
