"""The configuration of a run as YAML text without secrets.

A mapping is masked by its values, at any depth. Text is masked line by line, so that it keeps its comments and its
layout: a line `key: value` whose key looks secret loses the value and the deeper lines below it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracking.errors import InvalidValueError
from tracking.files import atomic
from tracking.paths import RunPaths
from tracking.values.jsontext import encode, readable
from tracking.values.names import exact
from tracking.values.plain import MAX_DEPTH, opened, plain
from tracking.values.secrets import (
    MASK,
    is_secret,
    is_secret_in,
    is_secret_text,
    masked,
    masked_arguments,
    masked_command,
    masked_text,
)

_KEY = r"""(?P<key>"[^"]*+"|'[^']*+'|[^\s"'\#{}\[\],](?:[^:]|:(?=\S))*+)"""
_LINE = re.compile(rf"(?P<lead>\s*+(?:\#\s*+)?(?:-\s++)*+){_KEY}\s*+:(?:\s(?P<value>.*)|)")


def config_text(config: str | Mapping[str, Any] | None) -> str | None:
    """Return a config as text without what looks secret: a mapping as YAML, text as it is; None for None.

    OmegaConf's interpolations are resolved where they can be. Raise InvalidValueError for what is no mapping and no
    text, and for values that no parameter may have.
    """
    if config is None:
        return None
    if isinstance(config, str):
        return _masked_text(config)
    values = opened(config)
    if not isinstance(values, Mapping):
        raise InvalidValueError(f"config must be a mapping or YAML text, not {type(config).__name__}")
    return _yaml(_masked_values(dict(values)))


def write_config(paths: RunPaths, config: str | None, overrides: Sequence[str]) -> None:
    """Write config.yaml and overrides.yaml, without secrets; `config` is what `config_text` returns."""
    if config is not None:
        atomic.write_bytes(paths.config, config.encode(errors="backslashreplace"), durable=False)
    if overrides:
        # a JSON string is a YAML string, whatever it holds
        lines = (b"- " + encode(readable(each)) + b"\n" for each in masked_command(overrides))
        atomic.write_bytes(paths.overrides, b"".join(lines), durable=False)


def _masked_values(value: Any, depth: int = 0) -> Any:
    """Return plain data without secrets. Keys that are numbers stay numbers: YAML has these, JSON does not."""
    if depth < MAX_DEPTH and type(value) is dict:
        group = {key: _masked_values(item, depth + 1) for key, item in value.items()}
        return {
            key if isinstance(key, int) else masked_text(readable(exact(key))): MASK
            if is_secret_in(group, key)
            else item
            for key, item in group.items()
        }
    if depth < MAX_DEPTH and type(value) in (list, tuple):
        return masked_arguments([_masked_values(item, depth + 1) for item in value])
    return masked(readable(value) if isinstance(value, str) else plain(value, "config", depth))


def _yaml(values: Any) -> str:
    try:
        import yaml  # here, because it takes long to load
    except ImportError:  # it comes with Hydra, which the tracker does not need; JSON is YAML too
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"

    def represent_text(dumper: Any, text: str) -> Any:
        # OmegaConf reads 1e-3 as a number; PyYAML does not, and would write such a text without quotes
        style = "'" if _is_number(text) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    dumper: Any = type("Dumper", (yaml.SafeDumper,), {})
    dumper.add_representer(str, represent_text)
    return str(yaml.dump(values, Dumper=dumper, sort_keys=False, allow_unicode=True))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _masked_text(text: str) -> str:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return "".join(_masked_lines(text))
    hidden = masked(values)
    return text if hidden == values else json.dumps(hidden, indent=2, ensure_ascii=False) + "\n"


def _masked_lines(text: str) -> Iterator[str]:
    depth: int | None = None  # of the secret key whose value the next lines may belong to
    for line in text.splitlines(keepends=True):
        body = line.rstrip("\r\n")
        inside = len(body) - len(body.lstrip(" "))
        if depth is not None and body.strip():
            if inside > depth or (inside == depth and body.startswith("- ", inside)):
                continue
            depth = None
        found = _LINE.fullmatch(body)
        value = (found["value"] or "").partition(" #")[0].strip() if found else ""
        if found and (is_secret_text(found["key"], value) if value else is_secret(found["key"], [""])):
            depth = None if "#" in found["lead"] else len(found["lead"])
            yield f"{body[: found.end('key')]}: '{MASK}'{line[len(body) :]}"
        else:
            # which also masks groups in braces; there is no bare *** in YAML
            shown = masked_command([body])[0].replace(f": {MASK}", f": '{MASK}'")
            yield shown + line[len(body) :]
