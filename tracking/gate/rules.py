"""The settings of the gate: what a challenger must show, read and checked once, before anything is scored."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from tracking.errors import InvalidValueError, quoted
from tracking.values.checks import metric_value

LATENCY = re.compile(r"latency_p([1-9][0-9]?)")  # a percentile of the time of one prediction
SIZE = "size"  # bytes of the files of a version
AUTO = "auto"  # the rows that the trainer keeps for the gate
SPLITS = ("val_", "test_", "train_")  # how the names of metrics begin that a run recorded
DOTTED = "is the dotted name of a function, such as my_package.gate.score, or null"


@dataclass(frozen=True)
class Margin:
    """How much worse a value may be: an amount in its own unit, or a share of the champion's value."""

    amount: float
    is_share: bool = False

    def beside(self, champion: float) -> float:
        """Return the margin in the unit of the champion's value."""
        return self.amount * abs(champion) if self.is_share else self.amount

    def __str__(self) -> str:
        return f"{self.amount:.6g}" if not self.is_share else f"{100 * self.amount:.6g}%"


@dataclass(frozen=True)
class Rules:
    """What the gate asks of a challenger; `docs/sweeps.md` explains each."""

    min_gain: float = 0.0
    superiority: bool = True
    not_worse: Mapping[str, Margin] = field(default_factory=dict)
    slices: Mapping[str, Margin] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class GateSettings:
    """How the gate scores and decides. Without a `scorer` or a `split` the recorded values decide."""

    scorer: str | None = None
    split: str | None = AUTO
    alpha: float = 0.05
    looks: int | None = None
    draws: int = 2000
    bootstrap_seed: int = 0
    cluster: str | None = None
    min_rows: int = 100
    timeout_s: float = 900.0
    require_rerun: bool = False
    allow: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)

    @property
    def scores(self) -> bool:
        """Whether the versions are scored on the same rows."""
        return self.scorer is not None and self.split is not None

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data that `gate_settings` reads; equal settings give equal data."""
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "rules"}
        rules = self.rules
        return own | {
            "allow": list(self.allow),
            "rules": {
                "min_gain": rules.min_gain,
                "superiority": rules.superiority,
                "not_worse": {name: _plain(margin) for name, margin in sorted(rules.not_worse.items())},
                "slices": {name: _plain(margin) for name, margin in sorted(rules.slices.items())},
                "thresholds": dict(sorted(rules.thresholds.items())),
            },
        }


def gate_settings(raw: Mapping[str, Any]) -> GateSettings:
    """Return settings from plain data, such as a section of a config; what is left out has its default.

    Raise InvalidValueError, which begins with the key, for an unknown key and for a value that cannot work.
    """
    _require_known("", raw, {each.name for each in fields(GateSettings)})
    default = GateSettings()
    scorer = _text("scorer", raw.get("scorer"))
    if scorer is not None and not _is_dotted(scorer):
        _refuse("scorer", scorer, DOTTED)
    allow = raw.get("allow") or ()
    return GateSettings(
        scorer=scorer,
        split=_text("split", raw.get("split", default.split)),
        alpha=_number(
            raw, "alpha", default.alpha, "is a share between 0 and 1, such as 0.05", lambda v: 0 < v < 1
        ),
        looks=None if raw.get("looks") is None else _count(raw, "looks", 1, least=1),
        draws=_count(raw, "draws", default.draws, least=100),
        bootstrap_seed=_count(raw, "bootstrap_seed", default.bootstrap_seed, least=0),
        cluster=_text("cluster", raw.get("cluster")),
        min_rows=_count(raw, "min_rows", default.min_rows, least=2),
        timeout_s=_number(raw, "timeout_s", default.timeout_s, "are seconds, more than 0", lambda v: v > 0),
        require_rerun=_switch(raw, "require_rerun", default=False),
        allow=(allow,) if isinstance(allow, str) else tuple(map(str, allow)),
        rules=_rules(raw.get("rules") or {}),
    )


def is_recorded(name: str) -> bool:
    """Return whether a metric's name says that a run recorded it, on another split than that of the gate."""
    return name.startswith(SPLITS)


def _rules(raw: Any) -> Rules:
    if not isinstance(raw, Mapping):
        _refuse("rules", raw, "is a mapping, such as {min_gain: 0.002}")
    _require_known("rules.", raw, {each.name for each in fields(Rules)})
    keyed = {f"rules.{name}": value for name, value in raw.items()}
    rules = Rules(
        min_gain=_number(keyed, "rules.min_gain", 0.0, "is a finite number, 0 or more", lambda v: v >= 0),
        superiority=_switch(keyed, "rules.superiority", default=True),
        not_worse=_margins("rules.not_worse", raw.get("not_worse")),
        slices=_margins("rules.slices", raw.get("slices")),
        thresholds=_thresholds(raw.get("thresholds")),
    )
    if not rules.superiority and rules.min_gain:
        raise InvalidValueError(
            f"rules.min_gain={rules.min_gain:g}: asks for a gain, and rules.superiority=false asks for none; set one of both"
        )
    if not rules.superiority and not rules.not_worse:
        raise InvalidValueError(
            "rules.superiority=false: needs rules.not_worse with a margin for the objective: how much worse it may be"
        )
    for name in rules.not_worse:
        if name.startswith("latency") and not LATENCY.fullmatch(name):
            raise InvalidValueError(
                f"rules.not_worse.{name}: allowed is latency_p95 or another percentile from 1 to 99"
            )
    return rules


def _margins(key: str, raw: Any) -> dict[str, Margin]:
    if raw is not None and not isinstance(raw, Mapping):
        _refuse(key, raw, "is a mapping of names to margins, such as {log_loss: 0.01}")
    items = {str(name): value for name, value in (raw or {}).items() if value is not None}
    return {name: _margin(f"{key}.{name}", value) for name, value in items.items()}


def _margin(key: str, value: Any) -> Margin:
    text = str(value).strip()
    is_share = text.endswith("%")
    try:
        amount = float(text.removesuffix("%")) / (100 if is_share else 1)
    except ValueError:
        amount = math.nan
    if isinstance(value, bool) or not (math.isfinite(amount) and amount >= 0):
        _refuse(key, value, "is a number, 0 or more, or a share of the champion's value, such as 20%")
    return Margin(amount, is_share)


def _thresholds(raw: Any) -> dict[str, float]:
    if raw is not None and not isinstance(raw, Mapping):
        _refuse("rules.thresholds", raw, "is a mapping of metrics to bounds, such as {val_auc: 0.7}")
    found = {}
    for name, bound in (raw or {}).items():
        if bound is not None:
            found[str(name)] = _finite(f"rules.thresholds.{name}", bound, "is a finite number")
    return found


def _plain(margin: Margin) -> float | str:
    return f"{100 * margin.amount!r}%" if margin.is_share else margin.amount


def _require_known(place: str, raw: Mapping[str, Any], known: set[str]) -> None:
    for name in raw:
        if name not in known:
            raise InvalidValueError(f"{place}{name}: unknown key; allowed are {', '.join(sorted(known))}")


def _text(key: str, value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        _refuse(key, value, "is a text, or null")
    return None if value is None else str(value)


def _is_dotted(name: str) -> bool:
    parts = name.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


def _switch(raw: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = raw.get(key, default)
    if type(value) is not bool:
        _refuse(key, value, "are true and false")
    return bool(value)


def _count(raw: Mapping[str, Any], key: str, default: int, *, least: int) -> int:
    value = raw.get(key, default)
    if type(value) is not int or value < least:
        _refuse(key, value, f"is a whole number, {least} or more")
    return int(value)


def _number(
    raw: Mapping[str, Any], key: str, default: float, allowed: str, can_work: Callable[[float], bool]
) -> float:
    number = _finite(key, raw.get(key, default), allowed)
    if not can_work(number):
        _refuse(key, number, allowed)
    return number


def _finite(key: str, value: Any, allowed: str) -> float:
    try:
        number = float(metric_value(key, value))  # Decimal, Fraction and the numbers of other libraries
    except InvalidValueError:
        number = math.nan
    if not math.isfinite(number):
        _refuse(key, value, allowed)
    return number


def _refuse(key: str, value: Any, allowed: str) -> NoReturn:
    raise InvalidValueError(f"{key}={'null' if value is None else quoted(value)}: allowed {allowed}")
