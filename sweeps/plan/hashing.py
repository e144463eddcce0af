"""Configs as values: nested and plain, hashed, and as JSON for the plan.

A value that only the job can resolve stays as it is written and leaves all others resolved.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import orjson
from omegaconf import DictConfig

from sweeps.errors import SettingsError
from sweeps.plan.packing import task_view
from sweeps.plan.plan import BaseConfig
from tracking import InvalidValueError
from tracking.values.configs import ConfigReading, Steadiness, read_config
from tracking.values.jsontext import decode, encode, non_finite_text
from tracking.values.plain import plain


@dataclass(frozen=True)
class Hashes:
    """Hashes of one job's config, 16 hex digits of a SHA-256 each.

    `config_hash` covers the whole config. `key` leaves out what does not change what a job computes: jobs of different
    sweeps are the same if their keys are equal. `written` is the key of the config as it is written, with every
    interpolation unresolved; None if it has none. A changed environment changes `key` but not `written`.
    """

    key: str
    config_hash: str
    written: str | None


def plain_config(config: DictConfig, is_steady: Steadiness | None = None) -> dict[str, Any]:
    """Return the task's part of a composed config as nested plain values, enums by name.

    A value that only the job can know is `tracking.values.configs.Unresolved`: one that cannot be resolved here, that
    Hydra derives per job, or that comes out otherwise each time. `is_steady` is as in `hash_configs`.
    """
    values: dict[str, Any] = _read(config).settled({} if is_steady is None else is_steady)
    return values


def hash_configs(
    config: DictConfig,
    ignores: frozenset[str] = frozenset(),
    point: Mapping[str, Any] | None = None,
    *,
    is_steady: Steadiness | None = None,
) -> Hashes:
    """Return the hashes of the task's part of a composed config.

    The top-level keys in `ignores` do not change what a job computes (paths, machine settings); the key leaves them out,
    except those that `point` sweeps. What Hydra derives per job, and what a resolver makes anew each time, counts as it
    is written; `is_steady` remembers for which interpolations that is so.

    Distinct values count as distinct: null, NaN and the infinities; a ``Path`` and its text, bytes and theirs, because
    code sees the type. An enum counts as its name, which is how an override gives it. An object of any other type
    counts as the tracker writes it. Raise `SettingsError` that names the key of a value which cannot be hashed.
    """
    reading = _read(config)
    whole = reading.settled({} if is_steady is None else is_steady)
    swept = {key: value for key, value in (point or {}).items() if key.partition(".")[0] in ignores}
    config_hash = _digest(whole)
    key = _digest({**_kept(whole, ignores), **swept}) if ignores else config_hash
    written = None
    if reading.has_interpolations:
        written = _digest({**_kept(reading.written(), ignores), **swept})
    return Hashes(key, config_hash, written)


def computed_from(config: DictConfig, ignores: frozenset[str] = frozenset()) -> BaseConfig:
    """Return the task's config as it reads back from JSON, without the top-level keys in `ignores`.

    Raise `SettingsError` that names the key of a value which JSON cannot keep.
    """
    reading = _read(config)
    values = _as_json(_kept(reading.settled({}), ignores))
    written = _as_json(_kept(reading.written(), ignores)) if reading.has_interpolations else None
    return BaseConfig(values, written)


def _read(config: DictConfig) -> ConfigReading:
    hydra = config.__dict__["_content"].get("hydra")
    with task_view(config) as task:
        return read_config(task, hydra)


def _kept(whole: Mapping[str, Any], ignores: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in whole.items() if key not in ignores}


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = decode(encode(_json_ready(values, "")))
    return kept


def _json_ready(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): _json_ready(item, f"{where}.{key}" if where else str(key))
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_json_ready(item, f"{where}.{index}") for index, item in enumerate(value)]
    if isinstance(value, bytes):  # of any length; the tracker keeps short ones only
        return repr(value)
    return _plain(value, where)


def _plain(value: Any, where: str) -> Any:
    try:
        return plain(value, where)
    except InvalidValueError as error:
        raise SettingsError(str(error)) from None


def _digest(value: Mapping[str, Any]) -> str:
    # Keys are sorted, so that the order of defaults and overrides does not count.
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    try:
        text = orjson.dumps(value, default=_standing_for, option=options)
        is_exact = b"null" not in text or not _holds_non_finite(value)  # which orjson writes as null
    except orjson.JSONEncodeError:
        is_exact = False
    if not is_exact:
        text = _exactly(value, "").encode()
    return hashlib.sha256(text).hexdigest()[:16]


def _standing_for(value: Any) -> Any:
    if isinstance(value, PurePath | bytes):
        raise TypeError  # JSON cannot tell it from its text
    kept = plain(value, "it")
    if _holds_non_finite(kept):
        raise TypeError
    return kept


def _holds_non_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_holds_non_finite, value.values()))
    return isinstance(value, list | tuple) and any(map(_holds_non_finite, value))


def _exactly(value: Any, where: str) -> str:
    """Return a text that no other value has; it is no JSON wherever it holds what JSON cannot."""
    if isinstance(value, Mapping):
        items = (
            f"{_exactly(key, where)}:{_exactly(item, f'{where}.{key}' if where else str(key))}"
            for key, item in value.items()
        )
        return f"{{{','.join(sorted(items))}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(_exactly(item, f'{where}.{index}') for index, item in enumerate(value))}]"
    if isinstance(value, PurePath):
        return f"path({json.dumps(str(value))})"
    if isinstance(value, bytes):
        return f"bytes({value.hex()})"
    if isinstance(value, str):
        return json.dumps(_plain(value, where))  # which must be valid Unicode
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else non_finite_text(value)
    return f"as({_exactly(_plain(value, where), where)})"
