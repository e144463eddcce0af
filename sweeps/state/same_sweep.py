"""Whether a sweep that is resumed is the same sweep: its keys, its objective, its search, its configs and its code.

It is composed again and compared with the plan, because one ranking over jobs of two different configs would be wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sweeps.errors import SettingsError
from sweeps.jobs import PlannedJob
from sweeps.plan.plan import Plan
from sweeps.settings.checks import shown
from tracking.process.program import command
from tracking.values.plain import flat

SHOWN = 10  # differences in a message
ABSENT = "(not there)"  # of a key
# What a resumed search may have more of, or less.
FREE = ("n_trials", "budget_", "target", "patience", "confirm", "enqueue")

Pairs = Sequence[tuple[PlannedJob, PlannedJob]]  # a recorded job, and what today's files make of it


def point_text(job: PlannedJob) -> str:
    """Return the values of a job's point in words."""
    return " ".join(f"{key}={shown(key, value)}" for key, value in job.point.items())


def require_same(
    old: Plan,
    frozen: Mapping[int, PlannedJob],
    new: Plan,
    jobs: Sequence[PlannedJob],
    *,
    changed_is_fine: bool,
) -> None:
    """Raise `SettingsError` with the differences between a frozen sweep and the one that today's files make.

    `frozen` are its recorded jobs, `jobs` those of today. With `changed_is_fine` changed configs and code
    pass; other swept keys or another objective never do.
    """
    # The process may have been killed before it had recorded all jobs, so only those in both are compared.
    pairs = [(frozen[job.number], job) for job in jobs if job.number in frozen]
    other = [*_other_keys(old, new), *([] if names_its_first(old, new) else _changed_objective(old, new))]
    if other:
        raise SettingsError(
            f"cannot resume {old.sweep}, because its swept keys or its objective differ ({_instead(old)}):\n{_listed(other)}"
        )
    changed = [*_changed_search(old, new), *_changed_config(old, new, pairs), *_changed_code(old, new)]
    if changed and not changed_is_fine:
        raise SettingsError(
            f"cannot resume {old.sweep}, because its {'search, its ' if old.search else ''}config or its code changed (to accept that: "
            f"{command('resume --changed', 'sweeps')}, or resume_changed=true):\n{_listed(changed)}"
        )


def _instead(old: Plan) -> str:
    if old.search is not None:
        return f"a new search with warm_start={old.sweep} learns from the jobs that fit"
    return "a new sweep with reuse=true takes the jobs that are the same"


def names_its_first(old: Plan, new: Plan) -> bool:
    """Return whether a sweep that named no metric names one now. No job depends on it, so its jobs can be ranked by it."""
    return old.objective["metric"] is None and new.objective["metric"] is not None


def _changed_objective(old: Plan, new: Plan) -> Iterator[str]:
    return _changes(old.objective, new.objective, "objective.")


def _listed(lines: Sequence[str]) -> str:
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])


def _other_keys(old: Plan, new: Plan) -> Iterator[str]:
    if (old.search is None) != (new.search is None):
        before, after = ("points of a list" if plan.search is None else "a search" for plan in (old, new))
        yield f"jobs: {before} -> {after}"
    if set(old.swept) != set(new.swept):
        before, after = (", ".join(plan.swept) or "none" for plan in (old, new))
        yield f"swept keys: {before} -> {after}"


def _changed_search(old: Plan, new: Plan) -> Iterator[str]:
    """Yield what changed in the space of a search, and in settings on which its decisions so far depend."""
    if old.search is None or new.search is None:
        return
    sides = [
        {key: value for key, value in flat(plan.search or {}).items() if not key.startswith(FREE)}
        | {"first_seed": (plan.space or {}).get("first_seed")}
        for plan in (old, new)
    ]
    for key, difference in _differences(*sides):
        yield f"search.{key}: {difference}"


def other_surroundings(old: Plan, new: Plan) -> Iterator[str]:
    """Yield a line for each key that is written as it was and has another value now, such as ``${oc.env:DATA}``."""
    if not (old.config and new.config and old.written and new.written):
        return
    before, after = _without(old.written, _apart(old)), _without(new.written, _apart(old))
    for key, change in _differences(_without(old.config, _apart(old)), _without(new.config, _apart(old))):
        if key in after and before.get(key) == after[key]:
            yield f"resumed with another value of {key} ({shown(key, after[key])}): {change}"


def _changed_config(old: Plan, new: Plan, pairs: Pairs) -> Iterator[str]:
    """Yield what changed in the config before a job's overrides, or else in the configs of single jobs.

    Interpolations are compared as they are written: their inputs are other keys, or come from outside the config (the
    time, a job's id, the environment).
    """
    if old.config is None or new.config is None:
        return
    # A plan of version 0.1.0 has only values; or, if one of them could not be resolved, all as they are written.
    sides = [new.written or new.config] if old.written else [new.config, new.written or new.config]
    before = _without(old.written or old.config, _apart(old))
    base = min((list(_changes(before, _without(side, _apart(old)))) for side in sides), key=len)
    yield from base
    if base:  # the keys of all jobs differ by it
        return
    for was, is_now in pairs:
        if not _has_same_config(was, is_now):
            yield f"job {was.number} ({point_text(is_now)}): its config: {was.key} -> {is_now.key}"


def _apart(plan: Plan) -> tuple[str, ...]:
    return (*plan.swept, *filter(None, [plan.store_key]))


def _has_same_config(before: PlannedJob, after: PlannedJob) -> bool:
    if before.key is None or after.key is None:
        return True
    if before.written is not None and after.written is not None:
        return before.written == after.written
    # Version 0.1.0 recorded the key alone: that of the config as it is written if a value could not be resolved.
    return before.key in (after.key, after.written)


def _without(config: Mapping[str, Any], swept: Sequence[str]) -> dict[str, Any]:
    """Return a config without the swept keys and what is below them, as the values of a swept group."""
    apart = tuple(f"{name}." for name in swept)
    return {key: value for key, value in flat(config).items() if not f"{key}.".startswith(apart)}


def _changed_code(old: Plan, new: Plan) -> Iterator[str]:
    if old.code is None or new.code is None:
        return
    for name in sorted({*old.code, *new.code}):
        before, after = old.code.get(name), new.code.get(name)
        if before != after:
            how = "is new" if before is None else "is gone" if after is None else "changed"
            yield f"code: {name} {how}"


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield ``key: old -> new`` for each value that differs between two nested mappings."""
    for key, difference in _differences(flat(old), flat(new)):
        yield f"{prefix}{key}: {difference}"


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in dict.fromkeys((*before, *after)):
        was, is_now = before.get(key, ABSENT), after.get(key, ABSENT)
        if was != is_now:
            yield key, f"{shown(key, was)} -> {shown(key, is_now)}"
