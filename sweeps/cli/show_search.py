"""What ``show`` says of a search: its best job, what is paused, what it has spent, and which keys decide."""

from collections.abc import Iterator

from sweeps.display.tables import parameter, short_names
from sweeps.ranking.beliefs import Beliefs, beliefs
from sweeps.ranking.importance import Importance
from sweeps.ranking.status import SweepStatus
from tracking.cli.toolkit.output import show as cell
from tracking.values.secrets import masked
from tracking.values.units import counted, format_duration

Fact = tuple[str, str | None]  # a label and its text


def of_search(found: SweepStatus) -> Beliefs | None:
    """Return what the search of a sweep has come to; None for a sweep that no search decides."""
    if found.plan.search is None:
        return None
    return beliefs(found.board, found.jobs, found.history.reached, found.plan.search)


def search_facts(known: Beliefs, found: SweepStatus) -> Iterator[Fact]:
    """Yield what the search of a sweep has come to, a fact a line, with its label."""
    search, jobs = found.plan.search or {}, len(found.jobs)
    schedule = "" if search.get("schedule") in (None, "none") else f", schedule {search['schedule']}"
    wanted = search.get("n_trials")
    begun = counted(jobs, "job") if wanted is None else f"{jobs:,} of {counted(wanted, 'job')}"
    ending = found.history.ending
    yield "search", f"{search.get('mode')}{schedule}: {begun}{f'; over: {ending}' if ending else ' so far'}"
    spent, saved = known.epochs.spent, known.epochs.saved
    if known.best is not None:
        names = short_names(list(known.best.point))
        point = ", ".join(
            f"{names[key]}={parameter(value)}" for key, value in masked(dict(known.best.point)).items()
        )
        since = known.leads_since
        lead = f"; in the lead since {since.epochs:,} of {spent:,} epochs" if since and spent else ""
        yield "best point", f"{point}{lead}"
    yield from _rungs(known, can_go_on=bool(search.get("resumes")), is_over=found.history.is_over)
    if spent:
        share = f", {saved:,} saved ({saved / (spent + saved):.0%})" if saved else ""
        budget = search.get("budget_epochs")
        of_budget = "" if budget is None else f" of {budget:,}"
        yield "epochs", f"{spent:,}{of_budget} spent{share}"
    if search.get("budget_s") is not None:
        took = sum(session.wall_s for session in found.history.sessions)
        yield "time", f"{format_duration(took)} of {format_duration(search['budget_s'])} spent"
    of = f"for {found.board.objective.label}: " if found.board.others else ""
    yield "importance", of + _importance(known.importance)


def _rungs(known: Beliefs, *, can_go_on: bool, is_over: bool) -> Iterator[Fact]:
    """Yield a line per level at which jobs were judged; the first has the label."""
    label = "rungs"
    for rung in known.rungs:
        how = "paused" if can_go_on else "stopped"
        text = (
            f"after {counted(rung.level, 'epoch')}: {counted(rung.jobs, 'job')}, {len(rung.paused):,} {how}"
        )
        if rung.paused and can_go_on and not is_over:
            text += f"; the next to go on is job {rung.paused[0]} ({cell(rung.best)})"
        yield label, text
        label = ""


def _importance(found: Importance) -> str:
    if found.why is not None:
        return f"cannot tell yet: {found.why}"
    names = short_names(list(found.share))
    shares = ", ".join(f"{names[key]} {share:.0%}" for key, share in found.share.items())
    at = "" if found.level is None else f" after {counted(found.level, 'epoch')}"
    return f"{shares}; of {counted(found.jobs, 'job')}{at}, R2 {found.r2:.2f}"
