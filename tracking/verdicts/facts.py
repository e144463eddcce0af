"""A verdict of the gate as pages get it: every value is of the kind that its name says, whatever the file holds.

What a page draws is bounded. What only a computer reads again, such as the quantiles of a bootstrap, is left to the file.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tracking.registry import RemarkKind, Verdict
from tracking.values.jsontext import readable
from tracking.verdicts.words import notes_of

MOST_REASONS = 100
MOST_RULES = 200
MOST_DIFFERENCES = 50
MOST_POINTS = 500  # of a curve
MOST_CLASSES = 50
LONGEST_SENTENCE = 2000
LONGEST_NAME = 200
LARGEST = 1e300  # what is larger cannot be drawn

_BOTH = ("challenger", "champion", "gain", "rows")
_RULE_NUMBERS = (*_BOTH, "low", "high", "margin", "level", "p", "adjusted_p")
_DIFFERENCE_NUMBERS = (*_BOTH, "error", "clusters", "draws")
_POWER = ("detectable", "power", "further_rows", "further_clusters")
_SELECTION = ("jobs", "selected_at", "here", "overestimated_by", "by_choosing", "error", "expected")
_CURVES = {
    "curves": ("fpr", "tpr"),
    "reliability": ("confidence", "accuracy", "rows"),
    "residuals": ("edges", "counts"),
}
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")  # signs that turn the direction of the text after them
# the notes that tell the same as a remark from its numbers
_NOTED: dict[str, str] = {RemarkKind.LOOK: "Look", RemarkKind.POWER: "Power", RemarkKind.SELECTION: "Choice"}
# how remarks began before verdicts held their kinds
_BEGINNINGS = {
    "it was look ": RemarkKind.LOOK,
    "a true gain of ": RemarkKind.POWER,
    "as the best of ": RemarkKind.SELECTION,
}


def brief_of(verdict: Verdict, version: int) -> dict[str, Any]:
    """Return what a list shows of a verdict: the decision, its reasons, and the version it was judged against."""
    look = _mapping(verdict.facts.get("look"))
    return {
        "version": version,
        "promote": verdict.promote,
        "sentence": _text(verdict.sentence, LONGEST_SENTENCE),
        "reasons": [_text(each, LONGEST_SENTENCE) for each in verdict.reasons[:MOST_REASONS]],
        "basis": _text(verdict.basis),
        "at": _text(verdict.facts.get("at")),
        "challenger": _side(verdict.challenger),
        "champion": _side(verdict.champion),
        "look": _number(look.get("number")),
    }


def whole_of(verdict: Verdict, version: int) -> dict[str, Any]:
    """Return a verdict with its rules, measures, pictures and notes; `why` are its reasons, each as passed or failed.

    A reason that is no rule's is neither, and one that the sentence holds is left out.
    """
    facts = verdict.facts
    rules = [_rule(each) for each in _mappings(facts.get("rules"))[:MOST_RULES]]
    known: dict[str, Any] = {
        **brief_of(verdict, version),
        "by": _text(facts.get("by")),
        "took_s": _number(facts.get("took_s")),
        "split": _split(_mapping(facts.get("split"))),
        "look": _numbers(facts.get("look"), ("number", "alpha", "level", "planned")),
        "rules": rules,
        "differences": [_difference(each) for each in _mappings(facts.get("differences"))[:MOST_DIFFERENCES]],
        "power": _numbers(facts.get("power"), _POWER),
        "selection": _selection(facts.get("selection")),
        "pictures": _pictures(_mapping(facts.get("pictures"))),
        "versions": {_text(name): _text(each) for name, each in _mapping(facts.get("versions")).items()},
        "scores": _text(facts.get("scores")),
        "scores_sha256": _text(facts.get("scores_sha256")),
        "printed": _text(facts.get("printed"), LONGEST_SENTENCE),
    }
    known["notes"] = notes_of(known)
    known["why"] = list(_why(known, _kinds(facts, known["reasons"])))
    return known


def _why(known: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    passed = {rule["reason"]: rule["passes"] for rule in known["rules"]}
    noted = {note["name"] for note in known["notes"]}
    for reason in known["reasons"]:
        is_noted = _NOTED.get(kinds.get(reason, "")) in noted
        if reason not in known["sentence"] and not is_noted:
            yield {"words": reason, "passes": passed.get(reason) if passed else known["promote"]}


def _kinds(facts: Mapping[str, Any], reasons: Iterable[str]) -> dict[str, str]:
    """Return the kinds of the reasons that are remarks."""
    if "remarks" in facts:
        told = _mappings(facts["remarks"])[:MOST_REASONS]
        return {str(_text(each.get("words"), LONGEST_SENTENCE)): str(each.get("kind")) for each in told}
    found = ((reason, begins) for reason in reasons for begins in _BEGINNINGS if reason.startswith(begins))
    return {reason: _BEGINNINGS[begins] for reason, begins in found}


def _side(side: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a version that was judged, or None where there was none."""
    if not side:
        return None
    objective = _mapping(side.get("objective"))
    return {
        "version": _number(side.get("version")),
        "run_id": _text(side.get("run_id")),
        "metric": _text(objective.get("metric")),
        "value": _number(objective.get("value")),
        "fingerprint": _text(side.get("fingerprint")),
        "manifest_sha256": _text(side.get("manifest_sha256")),
    }


def _split(split: Mapping[str, Any]) -> dict[str, Any] | None:
    if not split:
        return None
    classes = [[_text(name), _number(rows)] for name, rows in _mapping(split.get("classes")).items()]
    return {
        "name": _text(split.get("name")),
        "hash": _text(split.get("hash")),
        "cluster": _text(split.get("cluster")),
        **_values(split, ("rows", "clusters")),
        "classes": classes[:MOST_CLASSES],
    }


def _selection(selection: Any) -> dict[str, Any] | None:
    found = _numbers(selection, _SELECTION)
    return found and {**found, "metric": _text(_mapping(selection).get("metric"))}


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    place = rule.get("slice")
    return {
        "rule": _text(rule.get("rule")),
        "measure": _text(rule.get("measure")),
        "slice": [_text(each) for each in place] if isinstance(place, list) and len(place) == 2 else None,
        "asked": _text(rule.get("asked")),
        "reason": _text(rule.get("reason"), LONGEST_SENTENCE),
        "passes": rule.get("passes") is True,  # what is not said has not passed
        **_values(rule, _RULE_NUMBERS),
    }


def _difference(difference: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "measure": _text(difference.get("measure")),
        "method": _text(difference.get("method")),
        "mode": _text(difference.get("mode")),
        **_values(difference, _DIFFERENCE_NUMBERS),
    }


def _pictures(pictures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the curves and the histogram that can be drawn; one whose columns do not fit each other is left out."""
    found: dict[str, Any] = {}
    for name, columns in _CURVES.items():
        curves = [
            {"version": _number(each.get("version")), **_columns(each, columns)}
            for each in _mappings(pictures.get(name))[:2]
        ]
        kept = [each for each in curves if _fits(each, columns)]
        if kept:
            found[name] = kept
    gains = _columns(_mapping(pictures.get("gains")), ("edges", "counts"))
    if _fits(gains, ("edges", "counts")):
        found["gains"] = gains
    return found


def _columns(curve: Mapping[str, Any], names: Iterable[str]) -> dict[str, list[Any]]:
    return {name: [_number(each) for each in _list(curve.get(name))[: MOST_POINTS + 1]] for name in names}


def _fits(curve: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Return whether columns hold numbers alone and are of one length; edges have one more than counts."""
    columns = [curve[name] for name in names]
    wanted = len(columns[-1])
    lengths = [len(column) - (name == "edges") for name, column in zip(names, columns, strict=True)]
    whole = all(None not in column for column in columns)
    return wanted > 0 and whole and all(length == wanted for length in lengths)


def _numbers(given: Any, names: Iterable[str]) -> dict[str, Any] | None:
    return _values(_mapping(given), names) if _mapping(given) else None


def _values(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: _number(given.get(name)) for name in names}


def _number(given: Any) -> float | int | None:
    """Return a finite number as it is, None for anything else."""
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return given if is_number and -LARGEST < given < LARGEST else None


def _text(given: Any, longest: int = LONGEST_NAME) -> str | None:
    """Return a value as text that UTF-8 holds, cut where it is too long; no sign in it turns what stands around it."""
    if given is None:
        return None
    text = str(given)
    text = str(readable(text if len(text) <= longest else f"{text[:longest]}..."))
    return f"\u2068{text}\u2069" if _TURNS.search(text) else text


def _of(kind: type) -> Callable[[Any], Any]:
    return lambda given: given if isinstance(given, kind) else kind()


_mapping, _list = _of(dict), _of(list)


def _mappings(given: Any) -> list[Mapping[str, Any]]:
    return [each for each in _list(given) if isinstance(each, Mapping)]
