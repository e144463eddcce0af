"""Keeps the addresses of alerts out of all that a sweep writes: they are read once, then no config holds them.

Jobs do not need them, and a config ends up in many files: Hydra's own ones, the plan, the ledger, the runs. What refers
to the environment, such as ``${oc.env:HOOK}``, stays in the recorded command, because a resumed sweep finds the address
by it.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sweeps.errors import SettingsError
from sweeps.settings.sweeper_settings import SweeperSettings

if TYPE_CHECKING:  # commands that look at sweeps read plans, and do not wait for Hydra
    from omegaconf import DictConfig

SWEEPER = "hydra.sweeper"
VARIABLE = "PODIUM_NOTIFY"  # the addresses that `python -m sweeps resume --notify` gives, one per line
FROM_VARIABLE = f"++{SWEEPER}.notify.to=${{oc.env:{VARIABLE}}}"
_ASSIGNMENT = re.compile(r"[+~]*(?P<key>[\w./@-]+)\s*=(?P<value>.*)", re.DOTALL)
_NOTHING = frozenset({"", "null", "[]"})  # as the value of an override
_REFERENCE = r"\$\{[\w.]+(?::\w+(?:,\s*null)?)?\}"
# Of a mail address the password alone is secret.
_MAIL = rf"""smtps?://[^:@/'"\]]*(?::{_REFERENCE}@)?[^'"\]@$?]*(?:\?[^'"\]$]*)?"""
_ITEM = rf"""\s*['"]?(?:{_REFERENCE}|{_MAIL})['"]?\s*"""
_HARMLESS = re.compile(rf"['\"]?\[?{_ITEM}(?:,{_ITEM})*\]?['\"]?")


def without_addresses(
    config: "DictConfig", arguments: Sequence[str], settings: SweeperSettings
) -> tuple[list[str], SweeperSettings]:
    """Remove the addresses from a sweep's config, also from those that are composed from it, and from `arguments`.

    Return the arguments that are left, and the settings with a remark if an address must be given again to resume.
    Raise `SettingsError` for an argument that sweeps over addresses, or hides them in a larger mapping.
    """
    from omegaconf import OmegaConf, flag_override

    from sweeps.settings.sections import overrides

    section = settings.section
    hydra, task = overrides(config, "hydra"), overrides(config, "task")
    os.environ.pop(VARIABLE, None)  # not for the processes that this one starts
    given = [word for word in (*arguments, *hydra) if _is_about_alerts(word, section)]
    _refuse(given, arguments, section)
    if all(map(_is_nothing, given)):
        given = []  # they stay, because jobs are composed from the files again
    kept = [word for word in arguments if word not in given]
    flags = ["readonly", "struct"]
    with flag_override(config, flags, False), flag_override(config.hydra, flags, False):
        blank = []
        for key in dict.fromkeys(f"{place}.notify.to" for place in (SWEEPER, section)):
            if (given and OmegaConf.select(config, key.rpartition(".")[0])) or OmegaConf.select(config, key):
                OmegaConf.update(config, key, [])
                blank.append(f"++{key}=[]")
        if not blank and not given:
            return kept, settings
        config.hydra.overrides.hydra = [word for word in hydra if word not in given] + blank
        config.hydra.overrides.task = [word for word in task if word not in given]
        if len(kept) < len(arguments):
            style = config.hydra.job.config.override_dirname
            named = (word for word in kept if word.partition("=")[0] not in style.exclude_keys)
            dirname = style.item_sep.join(sorted(named)).replace("=", style.kv_sep)
            OmegaConf.update(config, "hydra.job.override_dirname", dirname)
    lost = set(given) - {*recorded(given, section), FROM_VARIABLE}
    if lost:
        remark = (
            f"{section}.notify.to: an address from the command line is not kept, because it may hold a secret; to resume "
            "with alerts: python -m sweeps resume SWEEP --notify ADDRESS"
        )
        settings = replace(settings, remarks=(*settings.remarks, remark))
    return kept, settings


def recorded(command: Iterable[str], section: str) -> tuple[str, ...]:
    """Return a command line without the addresses that are written in it; what refers to the environment stays."""
    return tuple(word for word in command if not _is_about_alerts(word, section) or _is_harmless(word))


def _refuse(given: Sequence[str], arguments: Iterable[str], section: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    for word in given:
        key = word.partition("=")[0].lstrip("+")
        if OverridesParser.create().parse_override(word).is_sweep_override():
            raise SettingsError(
                f"{key}: cannot be swept; several addresses are a list in brackets: {key}=[ADDRESS,ADDRESS]"
            )
    for word in arguments:
        found = _ASSIGNMENT.fullmatch(word)
        if found and f"{section}.".startswith(f"{found['key']}.") and "notify" in found["value"]:
            raise SettingsError(f"{found['key']}: give {section}.notify.to a value of its own")


def _is_about_alerts(word: str, section: str) -> bool:
    """Return whether a word of a command line sets addresses."""
    found = _ASSIGNMENT.fullmatch(word)
    key = f"{found['key']}." if found else ""
    places = (f"{SWEEPER}.notify.", f"{section}.notify.")
    return key.startswith(places) and not key.endswith(".notify.on.")


def _is_nothing(word: str) -> bool:
    """Return whether a word that is about alerts turns them off."""
    return word.partition("=")[2].strip() in _NOTHING


def _is_harmless(word: str) -> bool:
    is_plain = _is_nothing(word) or _HARMLESS.fullmatch(word.partition("=")[2])
    return word != FROM_VARIABLE and bool(is_plain)
