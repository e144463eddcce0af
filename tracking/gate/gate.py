"""Gate: judges a challenger against the champion, keeps the verdict, and promotes or refuses.

Whatever is missing, changed or cannot be computed refuses the promotion, with the reason.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from tracking.errors import (
    ChampionChangedError,
    CorruptFileError,
    InvalidValueError,
    ModelLoadError,
    TrackingError,
    UnknownModelError,
)
from tracking.extras import require
from tracking.gate import recorded, verdicts
from tracking.gate.earlier import refused_by_scores
from tracking.gate.looked import remarks_of
from tracking.gate.outcomes import RERUN, SCORES, SUPERIORITY, Entrant, Outcome, Question, Selection
from tracking.gate.reruns import made_again
from tracking.gate.rules import GateSettings, is_recorded
from tracking.gate.scoring import Fault, scored
from tracking.process.identity import login
from tracking.registry import EventKind, ModelRegistry, ModelVersion, Remark, Verdict
from tracking.registry.looks import Look
from tracking.registry.versions import verify
from tracking.values import timestamps

TRIES = 3  # how often a version is judged anew because the champion has changed meanwhile
Say = Callable[[str], None]


class Gate:
    """The gate of a registry, by one set of rules. `say` is told what takes long, in a line.

    Recorded values judge no version that the gate has refused by scores, unless `insists`.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        settings: GateSettings,
        *,
        say: Say | None = None,
        insists: bool = False,
    ) -> None:
        self._registry, self._settings, self._insists = registry, settings, insists
        self._say = say or (lambda _line: None)

    def judge(
        self, name: str, version: int, *, by: str | None = None, selection: Selection | None = None
    ) -> Verdict:
        """Judge a version against the champion, keep the verdict with it, and promote it or note that it was refused.

        Without a champion the thresholds alone count. With a scorer both versions are scored on the same rows in a process of
        its own; that look at the rows is counted before they are compared. The same versions, rows and rules give the verdict
        that is kept, and spend no further look. A version that already is the champion, or that
        somebody has rolled back or archived, is not judged, and the verdict that it has stays. `selection` are the jobs
        that the version is the best of. Raise UnknownModelError or CorruptFileError for a version that cannot be read,
        MissingExtraError where numpy and scipy are needed and not installed, and InvalidValueError for a scorer that cannot be
        imported: that says nothing of the version, so nothing is kept and no event is written.
        """
        if self._settings.scores:
            require("gate")
        for _ in range(TRIES):
            challenger = self._registry.version(name, version)
            found = _Judgement(
                self._registry, self._settings, self._say, challenger, by, selection, insists=self._insists
            )
            verdict = found.carried_out()
            if verdict is not None:
                return verdict
        raise InvalidValueError(
            f"the champion of {name!r} changed {TRIES} times while version {version} was judged; judge it again"
        )


class _Judgement:
    """One judgement of a challenger."""

    def __init__(
        self,
        registry: ModelRegistry,
        settings: GateSettings,
        say: Say,
        challenger: ModelVersion,
        by: str | None,
        selection: Selection | None,
        *,
        insists: bool,
    ) -> None:
        self._registry, self._settings, self._say = registry, settings, say
        self._refused_by_scores = not settings.scores and refused_by_scores(registry, challenger)
        self._insists = insists
        self._challenger, self._by, self._selection = challenger, by, selection
        self._champion: ModelVersion | None = None
        self._number: int | None = None  # of the champion, also of one that cannot be read
        self._key: str | None = None  # of a comparison that was made
        self._look: dict[str, Any] | None = None  # that was spent
        self._looked: list[Remark] = []  # what there is to say of earlier looks at the rows
        self._scores: bytes | None = None
        self._began = time.monotonic()

    def carried_out(self) -> Verdict | None:
        """Judge, and keep what came of it; None when the champion has changed meanwhile."""
        name, number = self._challenger.name, self._challenger.version
        self._number = self._registry.aliases(name).get("champion")
        if self._number == number:
            already = Outcome(SUPERIORITY, False, f"version {number} already is the champion")
            return self._verdict([already], self._basis)
        taken_back = self._taken_back()
        if taken_back is None and self._refused_by_scores and not self._insists:
            taken_back = f"the gate has refused version {number} by scores, and recorded values cannot undo that; judge it by scores, or insist with --recorded"
        if taken_back is not None:  # the verdict that it has stays
            return self._refused(self._verdict([Outcome(SUPERIORITY, False, taken_back)], self._basis), None)
        try:
            verdict = self._judged()
        except _KeptError as kept:
            verdict = kept.verdict
        # of one that is kept this completes what a killed judgement has left
        digest = self._registry.record_verdict(name, number, verdict, scores=self._scores).sha256
        if not verdict.promote:
            return self._refused(verdict, digest)
        try:
            self._registry.promote(
                name,
                number,
                reason=verdict.sentence,
                by=self._by,
                instead_of=self._number,
                verdict=digest,
            )
        except ChampionChangedError:
            return None
        return verdict

    def _refused(self, verdict: Verdict, digest: str | None) -> Verdict:
        """Note a refusal in the history, once, with the SHA-256 of the verdict where it is kept."""
        name, number = self._challenger.name, self._challenger.version
        key = _digest(self._identity(), verdict.sentence)
        self._registry.refuse(name, number, reason=verdict.sentence, by=self._by, key=key, verdict=digest)
        return verdict

    def _judged(self) -> Verdict:
        fault = self._unreliable() or self._unloadable()
        if fault is not None:
            return self._verdict([Outcome(SUPERIORITY, False, fault)], self._basis)
        if not self._settings.scores:
            sizes = None
            if self._champion is not None:
                sizes = (verdicts.size_of(self._challenger), verdicts.size_of(self._champion))
            rules = self._settings.rules
            outcomes = recorded.recorded_outcomes(self._challenger, self._champion, rules, sizes)
            return self._verdict(self._made_again(outcomes), self._basis)
        thresholds = self._settings.rules.thresholds
        recorded_ones = {name: bound for name, bound in thresholds.items() if is_recorded(name)}
        outcomes = recorded.thresholds_reached(self._challenger, recorded_ones)
        needs_rows = self._champion is not None or len(recorded_ones) < len(thresholds)
        if not needs_rows or not all(each.passes for each in outcomes):  # then no look is spent
            return self._verdict(self._made_again(outcomes), self._basis)
        return self._scored(outcomes)

    def _taken_back(self) -> str | None:
        """Return the sentence that says who rolled the version back or archived it; None if it is in use."""
        number, why = self._challenger.version, None
        for event in self._registry.history(self._challenger.name):
            if event.kind is EventKind.ROLLED_BACK and event.before == number:
                reason = f": {event.reason}" if event.reason else ""
                why = f"version {number} was rolled back by {event.by}{reason}; promote it by hand"
            elif event.kind is EventKind.ARCHIVED and event.version == number:
                why = f"version {number} is archived"
            elif event.kind in (EventKind.PROMOTED, EventKind.UNARCHIVED) and event.version == number:
                why = None
        return why

    def _unreliable(self) -> str | None:
        """Return why nothing can be promoted by the history: it tells the looks and the champion; None where it is whole."""
        faults = self._registry.history_faults(self._challenger.name)
        if not faults:
            return None
        further = f" (and {len(faults) - 1} more such places)" if len(faults) > 1 else ""
        return (
            f"the history of {self._challenger.name} (events.jsonl) is not whole: {faults[0]}{further}; restore the file from a "
            "copy, promote by hand, or export the versions and import them under another name"
        )

    def _unloadable(self) -> str | None:
        """Return why a version cannot be judged by its files; None when both are as they were registered."""
        which = f"the champion (v{self._number})"
        try:
            if self._number is not None:
                self._champion = self._registry.version(self._challenger.name, self._number)
                verify(self._champion)
            which = f"the challenger (v{self._challenger.version})"
            verify(self._challenger)
        except (CorruptFileError, ModelLoadError, UnknownModelError, OSError) as error:
            return f"{which} could not be loaded: {error}"
        return None

    @property
    def _basis(self) -> str:
        if self._number is None:
            return verdicts.FIRST
        return verdicts.SCORED if self._settings.scores else verdicts.RECORDED

    def _scored(self, outcomes: list[Outcome]) -> Verdict:
        objective = recorded.declared(self._challenger)
        assert objective is not None  # noqa: S101 - its threshold has passed
        question = Question(
            self._settings,
            objective,
            _entrant(self._challenger),
            None if self._champion is None else _entrant(self._champion),
            self._selection,
        )
        self._say(f"the gate loads v{self._challenger.version}{self._versus(' and the champion v{}')} ...")
        try:
            found = scored(question, self._spend)
        except _NotCountedError as error:
            outcomes = [*outcomes, Outcome(SUPERIORITY, False, str(error))]
            return self._verdict(outcomes, self._basis, found={"split": error.split})
        if isinstance(found, Fault):
            outcomes = [*outcomes, Outcome(SUPERIORITY, False, found.reason)]
            more = {"split": found.split, "look": self._look, "printed": found.printed}
            return self._verdict(outcomes, self._basis, found=more, remarks=self._looked)
        judgement = dict(found.judgement)
        ruled = [verdicts.outcome_from(each) for each in judgement.pop("rules")]
        self._scores = found.scores
        remarks = [*map(Remark.from_json, judgement.get("remarks", ())), *self._looked]
        if self._look is not None:
            judgement["look"] = {**self._look, **judgement["look"]}
        made = self._made_again([*ruled, *outcomes])
        # a run that could not be made again may be mended, so that such a verdict is no last word
        is_final = not any(each.rule == RERUN and not each.passes for each in made)
        kept = {
            **judgement,
            "split": found.split,
            "scores": SCORES,
            "scores_sha256": hashlib.sha256(found.scores).hexdigest(),
            "key": self._key if is_final else None,
        }
        return self._verdict(made, self._basis, remarks=remarks, found=kept)

    def _spend(self, split: Mapping[str, Any], counted_by: Mapping[str, Any]) -> int | None:
        """Count a look at a split before it is compared on; raise `_KeptError` with the verdict of the same comparison.

        Raise `_NotCountedError` where the looks at these rows are counted otherwise.
        """
        name, number = self._challenger.name, self._challenger.version
        rows = verdicts.rows_that_count(split["rows"], split["weightless"])
        self._say(f"judging v{number}{self._versus(' against the champion v{}')} on {rows} ...")
        self._key = _digest(self._identity(), split["hash"], split["values"])
        for kept in reversed(self._registry.verdicts(name, number)):
            if kept.verdict.facts.get("key") == self._key:
                raise _KeptError(kept.verdict)
        if self._champion is None:
            return None
        counting = {"alpha": self._settings.alpha, "planned": self._settings.looks, **counted_by}
        try:
            look = self._registry.spend_look(
                name, number, split=split["hash"], key=self._key, by=self._by, **counting
            )
        except InvalidValueError as error:
            raise _NotCountedError(str(error), split) from error
        self._look = {
            "number": look,
            "alpha": counting["alpha"],
            "level": None,
            "planned": counting["planned"],
        }
        self._look |= self._continued(split["hash"])
        both = (number, self._champion.version)
        asked = Look(split["hash"], self._key, **counting)
        elsewhere = self._registry.looks_elsewhere(name, asked, both)
        self._look |= {"elsewhere": told} if (told := elsewhere.to_json()) else {}
        self._looked = [*remarks_of(self._look, elsewhere)]
        return look

    def _continued(self, split: str) -> dict[str, Any]:
        """Return which earlier split's looks the looks at this one go on from, and how much of it earlier ones have seen."""
        history = self._registry.history(self._challenger.name)
        looks = [each for each in history if each.kind is EventKind.LOOKED and each.split == split]
        first = next((each for each in looks if each.overlap is not None), None)
        if first is None:
            return {}
        return {"of": first.of, "overlap": first.overlap, "splits": first.splits or 1}

    def _made_again(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Add whether the run of the challenger can be made again, where that is asked and everything else passes."""
        if not self._settings.require_rerun or not all(each.passes for each in outcomes):
            return outcomes
        return [*outcomes, made_again(self._challenger, self._say)]

    def _identity(self) -> list[Any]:
        """Return what makes two judgements the same beside the rows: both versions and the rules."""
        both = [self._challenger, *([self._champion] if self._champion else [])]
        asked = self._settings.to_json()
        for name in (
            "timeout_s",
            "split",
        ):  # rows are known by what they are, not by the file that holds them
            asked.pop(name)
        return [*map(verdicts.manifest_hash, both), asked]

    def _versus(self, text: str) -> str:
        return "" if self._champion is None else text.format(self._champion.version)

    def _verdict(self, outcomes: list[Outcome], basis: str, **more: Any) -> Verdict:
        return verdicts.verdict_of(
            self._challenger,
            self._champion,
            outcomes,
            basis=basis,
            at=timestamps.now(),
            by=self._by or login(),
            took_s=round(time.monotonic() - self._began, 3),
            settings=self._settings.to_json(),
            although=verdicts.REFUSED_BEFORE if self._refused_by_scores and self._insists else "",
            **more,
        )


class _KeptError(TrackingError):
    """The same versions were judged on the same rows by the same rules before."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__("judged before")
        self.verdict = verdict


class _NotCountedError(TrackingError):
    """No look at the rows can be spent as it is asked."""

    def __init__(self, reason: str, split: Mapping[str, Any]) -> None:
        super().__init__(reason)
        self.split = split


def _entrant(version: ModelVersion) -> Entrant:
    return Entrant(str(version.path.absolute()), version.version, verdicts.size_of(version))


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
