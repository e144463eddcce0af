"""One rule for what looks secret. All that is written about a run passes it, but the patch and artifacts.

By its name: a name is split into words at `_ . -`, spaces and capitals. It looks secret when it has a word of STRONG, a word
that ends in one of ENDS, or a pair of PAIRS, or ends in a word of WEAK and has text as its value. A number is a setting (`max_tokens`, `password_length`)
unless the name ends in a strong word; booleans, None and the empty text are never secret. Neither are the tokens of
language models (`pad_token: <pad>`) and other names with a word of SETTINGS (`loss_per_token`). The addresses of alerts
are secret whole (`notify: {to: ...}`, `sweep.notify.to`, `--notify X`): a token can be any part of one.

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
     ("notify", "to"), ("private", "key"), ("signing", "key"), ("ssh", "key"), ("storage", "key"), ("subscription", "key")}
)  # fmt: skip  # one pair a line would take 11 lines
STRONG = frozenset(map("".join, PAIRS)) | {  # a pair may be written as one word
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "creds",
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
ENDS = ("password", "passwd", "secret")  # PGPASSWORD, clientsecret
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
_URL = _Pattern(  # some clients take a password with / ? # as it is; a port is no password
    r"(?<![\w+.-])([a-zA-Z][\w+.-]*+://[^\s/:@\['\"]*:)"
    r"(?:[^\s/?#'\"]+|(?!/|\d{1,5}+[/?#])[^\s,'\"@]{1,128}+)(?=@)"
)
_URL_TOKEN = _Pattern(r"((?:https?|ftps?)://)[^\s/:@'\"]+(?=:?@)", re.IGNORECASE)
_QUERY = _Pattern(r"(?P<lead>[?&;#](?P<name>[\w.%-]++)=)(?P<value>[^\s&;#'\"<>),]++)")
_HOOK = _Pattern(  # whoever knows the address may post
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/\d+/|api\.telegram\.org/bot\d+:)"
    r"[\w/-]++"
)
_KEYS = _Pattern(  # of GitHub, GitLab, Hugging Face, OpenAI and others, Slack, AWS, Google, Stripe, registries; JWTs; PEM
    r"(?<![\w-])(?:gh[opsur]_\w{20,}+|github_pat_\w{20,}+|glpat-[\w-]{16,}+|hf_[a-zA-Z0-9]{20,}+|sk-[\w-]{20,}+"
    r"|xox[abeprs]-[\w-]{10,}+|A[KS]IA[A-Z0-9]{16}(?!\w)|AIza[\w-]{35}(?!\w)"
    r"|[rs]k_(?:live|test)_\w{16,}+|npm_[a-zA-Z0-9]{30,}+|pypi-[\w-]{40,}+|SG\.[\w-]{16,}+\.[\w-]{16,}+|GOCSPX-[\w-]{20,}+"
    r"|gsk_[a-zA-Z0-9]{30,}+|nvapi-[\w-]{30,}+|dapi[0-9a-f]{32}(?!\w)|ya29\.[\w-]{20,}+|eyJ[\w-]{5,}+\.[\w-]{4,}+(?:\.[\w-]*+)*+)"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_KEY_BEGINS = _Pattern(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?!.*-----END )", re.DOTALL)
_KEY_LINE = _Pattern(r"[A-Za-z0-9+/=]*|(?:Proc-Type|DEK-Info): .*")
_BEARER = _Pattern(r"(\bbearer\s{1,3})(?=[^\s\d]*+\d)[\w.~+/=-]{8,}+", re.IGNORECASE)
_HEADER = _Pattern(
    r"""(\bauthorization(?:\\*["'])?\s{0,3}[:=]\s{0,3}(?:\\*["'])?)(?:[a-z]{1,20}\s{1,3})?[^\s"',\\]++""",
    re.IGNORECASE,
)
_HAS_KEY = _Pattern(
    r"gh[opsur]_|_pat_|glpat-|hf_|sk-|xox|A[KS]IA|AIza|k_live_|k_test_|npm_|pypi-|SG\.|GOCSPX-|gsk_|nvapi-|dapi|ya29\.|eyJ"
    r"|PRIVATE KEY"
)
_HAS_NAME = _Pattern(
    "pass|pwd|pw=|secret|credential|bearer|authorization|key|token|jwt|cookie|sig|auth|notify", re.IGNORECASE
)
_GAP = r"(?:[ \t]|\x1b\[[\d;]*+m){0,6}+"  # colours of a terminal too
_NAMED = _Pattern(
    rf"""(?<![\w.-])(?:(?<=[\[;])\d{{1,3}}m(?=[a-zA-Z_]))?(?P<name>[\w.-]++)(?:\\{{0,3}}["'])?{_GAP}"""
    rf"""(?:=>|:=|(?<![=!<>])=(?!=)|:(?![:/=])){_GAP}(?P<escaped>\\{{1,3}})?"""
)
_VALUE = _Pattern(r""""(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?|[^\s,;&)\]}'"\x1b]++""")
_ESCAPED_VALUE = _Pattern(r""""[^"\n]*+"?|'[^'\n]*+'?|[^\s,;&)\]}'"\x1b]++""")
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
LONG_VALUE = 1000  # characters of a value that is kept, in which no further names are looked for
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
    if words and words[-1] == "notify" and isinstance(value, str | list | Mapping):
        return not isinstance(value, Mapping) or bool(value.get("to"))
    if isinstance(value, int | float):
        return _is_strong(words[-1:]) or tuple(words[-2:]) in PAIRS
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
        return {key: MASK if is_secret_in(value, key) else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return masked_arguments([masked(item) for item in value])
    return value


def is_secret_in(group: Mapping[Any, Any], key: Any) -> bool:
    """Return whether the value of a key must not be written down: by the key, or as in `{name: PASSWORD, value: ...}`."""
    name = group.get("name") if key == "value" else None
    return is_secret(key, group[key]) or (isinstance(name, str) and is_secret(name, group[key]))


def masked_arguments(items: list[Any]) -> list[Any]:
    """Return a list with MASK for what follows a secret option: `["--password", "hunter2"]`."""
    shown: list[Any] = []
    before = ""
    for item in items:
        is_text = isinstance(item, str)
        hides = before and is_text and not item.startswith("-") and is_secret_text(before, item)
        shown.append(MASK if hides else item)
        before = item.lstrip("-") if is_text and item.startswith("--") and "=" not in item else ""
    return shown


def masked_text(text: str) -> str:
    """Return a text of any kind with MASK for the secrets in it; see the module."""
    policy = _policy()
    if policy.is_off:
        return text
    text = _masked_alone(text)
    if policy.secret or _HAS_NAME.search(text):
        text = _HEADER.sub(rf"\1{MASK}", text)
        text = _OPTION.sub(_masked_value, _masked_assigned(text))
    return text


def _masked_assigned(text: str) -> str:
    """Mask what is assigned to secret names, also inside of other values: `INFO:root:password=x`, `cmd='TOKEN=x python'`."""
    shown: list[str] = []
    done = at = 0
    while found := _NAMED.search(text, at):
        at = found.end()
        if is_secret(found["name"], "any") and (
            value := (_ESCAPED_VALUE if found["escaped"] else _VALUE).match(text, at)
        ):
            bare = value[0].strip("'\"")
            if _is_assigned_secret(found["name"], bare):
                shown += [text[done:at], value[0].replace(bare, MASK)]
                at = done = value.end()
            elif len(bare) > LONG_VALUE:
                at = value.end()
    return "".join([*shown, text[done:]])


def _masked_alone(text: str) -> str:
    """Mask what is secret wherever it stands, such as `postgres://me:hunter2@host/db`, and tokens in web addresses.

    A token stands alone before the `@` of `https://...@host`; in other schemes that is a user.
    """
    if _policy().is_off:
        return text
    if "://" in text:
        text = _URL_TOKEN.sub(rf"\1{MASK}", _URL.sub(rf"\1{MASK}", text))
        text = _HOOK.sub(rf"\1{MASK}", text)
    if "=" in text:
        text = _QUERY.sub(_masked_query, text)
    if _HAS_KEY.search(text):
        text = _KEYS.sub(lambda found: MASK + "\n" * found[0].endswith("\n"), text)
    return _BEARER.sub(rf"\1{MASK}", text) if "bearer" in text.lower() else text


def ends_in_key(text: str) -> bool:
    """Return whether a text ends inside of a private key, whose further lines follow."""
    return (
        text.rfind("PRIVATE KEY-----") >= 0 and _KEY_BEGINS.search(text) is not None and not _policy().is_off
    )


def after_key(text: str) -> tuple[str, bool]:
    """Return what follows the rest of a private key in a text, and whether the key goes on after it."""
    at = 0
    for line in text.splitlines(keepends=True):
        is_end = line.startswith("-----END ")
        if not is_end and not _KEY_LINE.fullmatch(line.strip()):
            return text[at:], False
        at += len(line)
        if is_end:
            return text[at:], False
    return "", True


def _masked_query(found: re.Match[str]) -> str:
    said = _policy().of(found["name"])
    words = _words(found["name"])
    is_hidden = said if said is not None else _is_strong(words) or (bool(words) and words[-1] in IN_QUERIES)
    return f"{found['lead']}{MASK}" if is_hidden else found[0]


def _masked_value(found: re.Match[str]) -> str:
    if not _is_assigned_secret(found["name"], found["value"]):
        return found[0]
    return found[0][: found.start("value") - found.start()] + MASK


def _is_assigned_secret(name: str, value: str) -> bool:
    if not is_secret_text(name, value):
        return False
    # not `token = next_token` in a line of code
    return _is_strong(_words(name)) or bool(_policy().of(name)) or bool(_RANDOM.fullmatch(value))


def masked_command(arguments: Iterable[str]) -> list[str]:
    """Return a command line with its secrets masked: `--password=x`, `--api-key x`, `db.pwd=x`, `db={password: x}`."""
    shown: list[str] = []
    for argument in masked_arguments([exact(argument) for argument in arguments]):
        assignment = _ASSIGNMENT.fullmatch(argument)
        if assignment and is_secret_text(assignment["name"], assignment["value"]):
            shown.append(f"{assignment['name']}={MASK}")
        else:
            shown.append(masked_text(_masked_braces(argument)))
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
    text = str(name)
    return [*(_words_in if len(text) < LONG_VALUE else _words_in.__wrapped__)(text)]


@functools.lru_cache(maxsize=1024)  # the same few names come with each run
def _words_in(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(name))


def _is_strong(words: list[str]) -> bool:
    return (
        not STRONG.isdisjoint(words)
        or not PAIRS.isdisjoint(itertools.pairwise(words))
        or any(word.endswith(ENDS) for word in words)
    )


def _is_token(words: list[str], value: str) -> bool:
    if not words or words[-1] not in WEAK or not SETTINGS.isdisjoint(words):
        return False
    # <s>, </s>, [PAD], <|endoftext|>: how language models write theirs
    return value[:1] + value[-1:] not in ("<>", "[]")
