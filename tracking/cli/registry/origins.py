"""Commands that show what is known of a version: lineage, verify, and two versions beside each other."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import quoted
from tracking.registry import ModelRegistry
from tracking.registry.verifying import Verification
from tracking.registry.which import SIGN
from tracking.rerun import RerunResult, results_of
from tracking.store.store import Store
from tracking.values.units import counted, format_size

HEADLINES = {
    "version": "Version",
    "metrics": "Metrics",
    "params": "Parameters",
    "data": "Data",
    "code": "Code",
    "environment": "Environment",
    "packages": "Packages",
    "verdict": "Verdict",
}
_ENVIRONMENT = ("python", "platform", "host", "packages", "cwd")


def lineage(
    what: Annotated[
        str, typer.Argument(metavar="NAME[@WHICH]|RUN", help="A version, a model's champion, or a run.")
    ],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show where a version came from, or what came of a run.

    A version leads to its run, sweep, config, code, data, environment and verdict. A run leads to the versions that were
    registered from it, and to when they were the champion. Both show what making the run again has shown.

    \b
    Example: python -m tracking lineage ctr_model@champion
             python -m tracking lineage run_012
    """
    found = ModelRegistry(store).lineage(what)
    is_foreign = (
        "version" in found and found["version"]["origin"] is not None
    )  # its run is one of another store
    reruns = [] if is_foreign else results_of(Store(store).paths.run(found["run"]["run_id"]))
    if as_json:
        output.say_json({**found, "reruns": [each.to_json() for each in reruns]})
    elif "versions" in found:
        _say_forward(found, reruns)
    else:
        _say_back(found, reruns)


def verify(
    what: Annotated[
        str | None, typer.Argument(metavar="NAME[@WHICH]", help="Only this model, or this version.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Check every file of registered versions against its SHA-256, and the history and the verdicts against each other.

    Each line of a history holds the SHA-256 of the line before it, and a promotion or refusal that of its verdict. Exit code
    1 says that something is missing, changed or not registered.

    Example: python -m tracking verify ctr_model
    """
    found = ModelRegistry(store).verify(what)
    if as_json:
        output.say_json([{**vars(each), "is_intact": each.is_intact} for each in found])
    else:
        rows = [
            [
                _label(each),
                each.files,
                format_size(each.bytes),
                "intact" if each.is_intact else "damaged",
            ]
            for each in found
        ]
        if rows:
            tables.say_rows(["version", "files", "size", "state"], rows, keep=4)
        else:
            output.say(f"No models in {store!r} yet.")
    for each in found:
        for fault in each.faults:
            output.warn(f"{_label(each)}: {fault}")
    return 0 if all(each.is_intact for each in found) else 1


def _label(checked: Verification) -> str:
    return f"{checked.name}{SIGN}{checked.version}" if checked.version else f"{checked.name}, its history"


def say_compared(store: str, one: str, other: str, *, as_json: bool) -> None:
    """Write what differs between two versions; the second may be a number or an alias of the model of the first."""
    registry = ModelRegistry(store)
    name, _ = registry.parts(one)
    if SIGN not in one + other and name not in registry.models():
        raise typer.BadParameter(
            f"{quoted(other)} is one word too many: {quoted(one)} is no model whose versions are compared"
        )
    second = other if SIGN in other or other in registry.models() else f"{name}{SIGN}{other}"
    found = registry.compare(one, second)
    if as_json:
        output.say_json(found)
        return
    labels = found["versions"]
    output.title(" and ".join(labels))
    for section, headline in HEADLINES.items():
        pairs = found[section]
        if not pairs:
            continue
        output.say(f"\n{headline}:")
        if section == "metrics":
            rows = [[each, *pair, _difference(*pair)] for each, pair in pairs.items()]
            tables.say_rows(["", *labels, "difference"], rows, keep=3)
        else:
            rows = [[each, *map(output.param, pair)] for each, pair in pairs.items()]
            tables.say_rows(["", *labels], rows, keep=3)
    if found["config"]:
        output.say("\nConfig:")
        for line in found["config"]:
            output.say(output.printed(line))
    if not any(found[section] for section in (*HEADLINES, "config")):
        output.say("All that is recorded of them is equal.")


def _difference(one: Any, other: Any) -> float | None:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (one, other))
    return other - one if numbers else None


def _say_back(found: Mapping[str, Any], reruns: Sequence[RerunResult]) -> None:
    version, run = found["version"], found["run"]
    output.title(f"{version['name']}, version {version['version']}")
    output.say_facts(_fate(version))
    objective = version["objective"]
    value = f"{objective.get('metric')} {output.show(objective.get('value'))} ({objective.get('mode')})"
    output.say_facts(
        {
            "Run": run["run_id"],
            "Runs": ", ".join(map(str, found["runs"])) or None,
            "Experiment": run["experiment_name"],
            "Started": run["created_at"],
            "Objective": value,
            "Parameters": counted(len(run["params"]), "parameter") if run["params"] else None,
        },
        "Run",
    )
    sweep, config, code = found["sweep"] or {}, found["config"], found["code"] or {}
    output.say_facts({"Sweep": sweep.get("id"), "Job": sweep.get("job"), "Key": sweep.get("key")}, "Sweep")
    overrides = config["overrides"]
    output.say_facts(
        {"SHA-256": config["sha256"], "Overrides": ", ".join(map(str, overrides)) if overrides else None},
        "Config",
    )
    patch = code.get("patch") or {}
    why = code.get("why_not")
    output.say_facts(
        {
            "Commit": code.get("commit"),
            "Branch": code.get("branch"),
            "Remote": code.get("remote"),
            "Patch": f"sha256:{str(patch.get('sha256'))[:12]}" if patch else None,
            "Not reproducible": "; ".join(map(str, why)) if isinstance(why, list) and why else None,
        },
        "Code",
    )
    output.say_facts(found["data"], "Data")
    environment = found["environment"] or {}
    output.say_facts({name.capitalize(): environment.get(name) for name in _ENVIRONMENT}, "Environment")
    _say_reruns(reruns)
    verdict = found["verdict"]
    output.say_facts(
        {"Decision": verdict["sentence"] if verdict else "the gate has not judged it"}, "Verdict"
    )
    output.say("\nFiles:")
    for file, digest in version["files"].items():
        output.say(f"  {file}  sha256:{digest[:12]}")
    for reason in found["left_out"]:
        output.warn(reason)


def _say_forward(found: Mapping[str, Any], reruns: Sequence[RerunResult]) -> None:
    output.title(found["run"]["run_id"])
    if not found["versions"]:
        output.say("No version of a model was registered from it.")
    _say_reruns(reruns)
    for version in found["versions"]:
        output.say_facts(_fate(version), f"{version['name']}, version {version['version']}")


def _say_reruns(reruns: Sequence[RerunResult]) -> None:
    """Write what making the run again has shown, oldest first."""
    if reruns:
        output.say("\nMade again:")
    for each in reruns:
        how = each.verdict.value.replace("_", " ")
        output.say(f"  {each.at:%Y-%m-%d} as {each.new_run}, {how}: {each.sentence}.")


def _fate(version: Mapping[str, Any]) -> dict[str, Any]:
    """Return what happened to a version, a line each."""
    origin = version.get("origin")
    state = "removed" if version["is_removed"] else "archived" if version["is_archived"] else None
    return {
        "Aliases": ", ".join(version["aliases"]) or None,
        "State": state,
        "Registered": _when(version["arrived"]),
        "Imported": f"as version {origin.get('version')} of {origin.get('name')}" if origin else None,
        **{
            f"Champion{f' {number}' if number > 1 else ''}": _reign(each)
            for number, each in enumerate(version["champion"], 1)
        },
        "Looks": ", ".join(f"{each['look']} at {str(each['split'])[:12]}" for each in version["looks"])
        or None,
        "Refused": "; ".join(each["reason"] for each in version["refused"]) or None,
        "Exports": "; ".join(f"{each['at'][:19]} {each['reason']}" for each in version["exports"]) or None,
        "Folder": version.get("folder"),
    }


def _when(event: Mapping[str, Any]) -> str | None:
    return f"{event['at'][:19]} by {event['by']}" if event else None


def _reign(reign: Mapping[str, Any]) -> str:
    since, until = reign["since"], reign["until"]
    end = (
        f"until {until['at'][:19]} ({until['event'].replace('_', ' ')} {until['version']})"
        if until
        else "until now"
    )
    return f"since {_when(since)}, {end}: {since['reason'] or 'no reason given'}"
