"""Aliases of versions: names that move, are taken away, and are read in old histories."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import InvalidNameError, InvalidValueError, ModelRegistry, UnknownModelError


@pytest.fixture
def registry(reigning: Callable[..., ModelRegistry]) -> ModelRegistry:
    """A registry whose model ctr has had the champions 1, 2, 3 and 4."""
    return reigning(4)


def test_aliases_name_versions_until_they_are_moved_or_removed(registry: ModelRegistry, base: Path) -> None:
    registry.set_alias("ctr", "staging", 1, reason="try", by="ann")
    registry.set_alias("ctr", "staging", 1)
    registry.set_alias("ctr", "live-eu", 2)
    registry.set_alias("ctr", "staging", 2)
    assert registry.aliases("ctr") == {"champion": 4, "live-eu": 2, "staging": 2}
    assert json.loads((base / "models" / "ctr" / "aliases.json").read_text()) == registry.aliases("ctr")
    ((place, _, _),) = registry.load("ctr", "staging", allow=["os"])
    assert Path(place) == base / "models" / "ctr" / "v2"
    told = [(str(event.kind), event.alias, event.version) for event in registry.history("ctr")[8:]]
    assert told == [("aliased", "staging", 1), ("aliased", "live-eu", 2), ("aliased", "staging", 2)]
    registry.remove_alias("ctr", "staging")
    assert registry.aliases("ctr") == {"champion": 4, "live-eu": 2}
    with pytest.raises(UnknownModelError, match="has no alias 'staging'; it has: champion, live-eu"):
        registry.load("ctr", "staging")
    with pytest.raises(UnknownModelError, match="has no alias 'staging'"):
        registry.remove_alias("ctr", "staging")
    with pytest.raises(UnknownModelError, match="has no version 9"):
        registry.set_alias("ctr", "staging", 9)


@pytest.mark.parametrize("alias", ["champion", "3", "", "a/b", "..", 7, None])
def test_an_alias_that_would_be_misread_is_refused(registry: ModelRegistry, alias: Any) -> None:
    for call in (lambda: registry.set_alias("ctr", alias, 1), lambda: registry.remove_alias("ctr", alias)):
        with pytest.raises((InvalidNameError, InvalidValueError), match="alias"):
            call()


@pytest.mark.parametrize(
    "alias", ["bad name", "a@b", "a,b", "x=1", "it's", "(old)", "50%", "a\u00a0b", "🏆", "a+b"]
)
def test_a_new_alias_is_a_name_of_letters_digits_and_few_signs(
    registry: ModelRegistry, base: Path, alias: str
) -> None:
    history = base / "models" / "ctr" / "events.jsonl"
    before = history.read_bytes()
    with pytest.raises(InvalidNameError, match=r"use letters, digits, '_', '-' and '\.', such as 'staging'"):
        registry.set_alias("ctr", alias, 1)
    assert history.read_bytes() == before
    # as an older podium wrote it: it stays readable, and can be taken away
    event = {"event": "aliased", "version": 1, "at": "2026-01-01T00:00:00+00:00", "by": "ann", "alias": alias}
    history.write_bytes(before + json.dumps(event).encode() + b"\n")
    assert registry.aliases("ctr") == {"champion": 4, alias: 1}
    assert registry.locate("ctr", alias) == ("ctr", 1)
    assert registry.history("ctr")[-1].alias == alias
    with pytest.raises(InvalidValueError) as told:
        registry.archive("ctr", 1)
    assert f"has the alias {alias!r}; let the alias name another version or nothing" in str(told.value)
    registry.remove_alias("ctr", alias)
    assert registry.aliases("ctr") == {"champion": 4}


@pytest.mark.parametrize(
    "alias", ["staging", "live-eu", "v2.1", "A_b", "2026-q1", "vorläufig", "परीक्षण", "本番"]
)
def test_an_alias_may_be_a_word_of_any_script(registry: ModelRegistry, alias: str) -> None:
    registry.set_alias("ctr", alias, 1)
    assert registry.aliases("ctr") == {"champion": 4, alias: 1}
