"""A verdict put together: its sentence, its reasons, and the facts that verdict.json keeps; docs/storage.md lists them."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tracking.files.atomic import sha256
from tracking.gate.outcomes import ROWS, SUPERIORITY, Outcome
from tracking.registry import ModelVersion, Remark, RemarkKind, Verdict
from tracking.version import __version__

SCORED, RECORDED, FIRST = "scores", "recorded", "first"
ON_RECORDED = "the values that the runs recorded decided: no scorer compares the versions on the same rows, so the gain may be chance"
REFUSED_BEFORE = " by recorded values, although the gate has refused it by scores"
NOTHING = dict.fromkeys(("split", "look", "power", "selection", "pictures", "scores"))


def facts_of(version: ModelVersion) -> dict[str, Any]:
    """Return what a verdict keeps of a version."""
    return {
        "name": version.name,
        "version": version.version,
        "run_id": version.run_id,
        "objective": dict(version.objective),
        "metrics": dict(version.metrics),
        "fingerprint": version.data.get("fingerprint"),
        "manifest_sha256": manifest_hash(version),
    }


def manifest_hash(version: ModelVersion) -> str:
    """Return the SHA-256 of a version's manifest, which holds those of its files."""
    return sha256(version.path / "manifest.json")


def size_of(version: ModelVersion) -> int:
    """Return the bytes of the files of a version."""
    return sum((version.path / name).stat().st_size for name in version.files)


def rows_that_count(rows: int, weightless: int) -> str:
    """Return the number of rows as text, beside those of weight 0 if there are any."""
    if not weightless:
        return f"{rows:,} rows"
    return f"{rows:,} of {rows + weightless:,} rows; {weightless:,} {'has' if weightless == 1 else 'have'} weight 0"


def verdict_of(
    challenger: ModelVersion,
    champion: ModelVersion | None,
    outcomes: Sequence[Outcome],
    *,
    basis: str,
    remarks: Iterable[Remark] = (),
    found: Mapping[str, Any] | None = None,
    although: str = "",
    **more: Any,
) -> Verdict:
    """Return the verdict that follows from the outcomes of all rules: a promotion only if there are some and each passes.

    `remarks` follow the reasons; `found` is what the scoring process said;
    `although` is said in the sentence of a promotion.
    """
    against = [each for each in outcomes if not each.passes]
    promote = bool(outcomes) and not against
    # the reason that counts most is the first; that there are rows enough is none
    told = sorted(
        against or [each for each in outcomes if each.rule != ROWS], key=lambda each: each.rule != SUPERIORITY
    )
    if basis == FIRST and promote:
        remarks = [Remark(RemarkKind.FIRST, "there was no champion before"), *remarks]
    elif basis == RECORDED:
        remarks = [*remarks, Remark(RemarkKind.RECORDED, ON_RECORDED)]
    remarks = tuple(remarks)
    found = found or {}
    facts: dict[str, Any] = {
        **more,
        "versions": {"podium": __version__, "python": platform.python_version(), **found.get("versions", {})},
        "challenger": facts_of(challenger),
        "champion": None if champion is None else facts_of(champion),
        **NOTHING,
        "rules": [each.to_json() for each in outcomes],
        "differences": [],
        "remarks": [each.to_json() for each in remarks],
        **{name: value for name, value in found.items() if name not in ("rules", "remarks", "versions")},
    }
    return Verdict(
        promote=promote,
        sentence=_sentence(challenger, champion, promote, told, although),
        reasons=(*(each.reason for each in told), *(each.words for each in remarks)),
        basis=basis,
        facts=facts,
    )


def outcome_from(raw: Mapping[str, Any]) -> Outcome:
    """Return the outcome that `Outcome.to_json` wrote."""
    slice_ = raw.get("slice")
    return Outcome(**{**raw, "slice": None if slice_ is None else (slice_[0], slice_[1])})


def _sentence(
    challenger: ModelVersion,
    champion: ModelVersion | None,
    promote: bool,
    told: Sequence[Outcome],
    although: str,
) -> str:
    """Return the decision in one sentence, with the reason that counts most."""
    who = f"v{challenger.version} of {challenger.name}"
    if not told:
        return f"{who} is not promoted: no rule was judged."
    main = told[0].reason
    others = len(told) - 1
    if promote and champion is None:
        return f"{who} is promoted{although}: it is the first champion, and {main}."
    if promote:
        return f"{who} is promoted over v{champion.version if champion else 0}{although}: {main}."
    over = "" if champion is None else f" over v{champion.version}"
    further = "" if not others else f" (and {others} more reason{'s' if others > 1 else ''})"
    return f"{who} is not promoted{over}: {main}{further}."
