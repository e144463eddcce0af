"""Verdicts of every kind, made by hand after what the gate writes: for pages, reports and texts that show them."""

import itertools
import math
from pathlib import Path
from statistics import NormalDist
from typing import Any

from filled_stores import auc, run_id, write_run

from tracking import ModelRegistry
from tracking.files import write_json
from tracking.paths import ModelPaths

MODEL = "ctr_model"
LEVEL = 0.0076
NUMBERS = ("challenger", "champion", "gain", "low", "high", "margin", "level", "p", "adjusted_p", "rows")
HASH = "c93d0fc0bc95e440dfc0f6e3dbbddee0a8708e08cbbada2413f848fafa3a2d20"


def rule(kind: str, measure: str | None, *, passes: bool = True, **numbers: Any) -> dict[str, Any]:
    """Return a rule; a number that is not given is None."""
    names = ("slice", *NUMBERS)
    reason = numbers.pop("reason", f"{measure or kind} {'is well' if passes else 'is not enough'}")
    asked = numbers.pop("asked", "at least something")
    told = {"rule": kind, "measure": measure, "passes": passes, "reason": reason, "asked": asked}
    return {**dict.fromkeys(names), **told, **numbers}


def superiority(*, passes: bool = True, gain: float = 0.0123, low: float = 0.0041) -> dict[str, Any]:
    """Return the rule about the objective."""
    reason = f"auc is 0.7709 against the champion's 0.7586 on the same 3,000 rows: a gain of {gain}"
    return rule(
        "superiority", "auc", passes=passes, reason=reason, asked="a gain of more than 0", challenger=0.7709,
        champion=0.7586, gain=gain, low=low, high=2 * gain - low, margin=0.0, level=LEVEL, p=0.0004, rows=3000,
    )  # fmt: skip


def guard(measure: str, place: int = 0, **more: Any) -> dict[str, Any]:
    """Return the rule that a measure is not worse."""
    given = {
        "asked": "at most 0.01 worse", "challenger": 0.41, "champion": 0.409, "gain": -0.001, "low": -0.004 - place / 1000,
        "high": 0.002, "margin": 0.01, "level": LEVEL / (place + 1), "p": 1e-5, "adjusted_p": 3e-5, "rows": 3000,
    }  # fmt: skip
    return rule("not_worse", measure, **{**given, **more})


def scored(*, promote: bool = True, rules: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """Return a verdict on scores of both versions, format 2."""
    known = rules or [
        rule("rows", None, asked="at least 100", rows=3000, reason="3,000 rows decide, at least 100 are asked"),
        superiority(passes=promote, low=0.0041 if promote else -0.0013),
        guard("log_loss"),
        guard("latency_p95", 1, challenger=0.0142, champion=0.0144, gain=0.0002, low=-0.0004, high=0.0007, margin=0.007, rows=1000),
        rule("threshold", "val_auc", asked="at least 0.6", challenger=0.778, margin=0.6),
    ]  # fmt: skip
    reasons = [each["reason"] for each in known if each["passes"] is promote and each["rule"] != "rows"]
    if not promote:
        reasons = [each["reason"] for each in known if not each["passes"]]
    look = "it was look 2 at these rows, judged so that chance alone passes in 0.76 of 100 cases, which keeps all looks together at 5"
    what = "is promoted over v1" if promote else "is not promoted over v1"
    return {
        "format": 2,
        "promote": promote,
        "sentence": f"v2 of {MODEL} {what}: {reasons[0] if reasons else 'nothing was judged'}.",
        "reasons": [*reasons, look],
        "remarks": [{"kind": "look", "words": look}],
        "basis": "scores",
        "at": "2026-01-31T10:00:00.000+00:00",
        "by": "sweep 20260131-093000",
        "took_s": 12.5,
        "versions": {"podium": "0.1.0", "python": "3.11.7", "numpy": "2.1.0", "scipy": "1.14.1"},
        "challenger": side(2, 0.778),
        "champion": side(1, 0.7651),
        "split": {
            "name": "the promotion rows, which the trainer keeps from every job", "hash": HASH, "rows": 3000,
            "classes": {"not clicked": 2486, "clicked": 514}, "cluster": None, "clusters": None,
        },
        "look": {"number": 2, "alpha": 0.05, "level": LEVEL, "planned": None},
        "power": {"detectable": 0.0113, "power": 0.8, "further_rows": None if promote else 4133},
        "selection": {
            "jobs": 16, "selected_at": 0.7803, "metric": "val_auc", "here": 0.7742, "overestimated_by": 0.0061,
            "by_choosing": 0.004, "error": 0.0012, "expected": 0.0038,
        },
        "rules": known,
        "differences": [
            {"measure": "auc", "mode": "max", "challenger": 0.7709, "champion": 0.7586, "gain": 0.0123, "error": 0.0033,
             "method": "delong", "rows": 3000, "units": 514},
            {"measure": "log_loss", "mode": "min", "challenger": 0.41, "champion": 0.409, "gain": -0.001, "error": 0.0012,
             "method": "bootstrap", "rows": 3000, "draws": 2000, "seed": [0], "quantiles": [-0.003, 0.0, 0.002]},
        ],
        "pictures": {"curves": [roc(2, 0.9), roc(1, 0.8)], "gains": gains(0.0123, 0.0033)},
        "scores": "scores.npz",
        "scores_sha256": "5e" * 32,
        **more,
    }  # fmt: skip


def side(version: int, value: float) -> dict[str, Any]:
    """Return what a verdict keeps of a version."""
    return {
        "name": MODEL, "version": version, "run_id": run_id(version),
        "objective": {"metric": "val_auc", "mode": "max", "value": value, "step": 3}, "metrics": {},
        "fingerprint": f"sha256:{'28' * 32}", "manifest_sha256": f"{version}9" * 32,
    }  # fmt: skip


def roc(version: int, skill: float, points: int = 200) -> dict[str, Any]:
    """Return a ROC curve."""
    fpr = [index / (points - 1) for index in range(points)]
    return {"version": version, "fpr": fpr, "tpr": [x ** (1 - skill / 1.5) for x in fpr]}


def gains(gain: float, error: float, bins: int = 40) -> dict[str, Any]:
    """Return the histogram of a gain whose distribution is normal."""
    edges = [gain + error * 8 * (index / bins - 0.5) for index in range(bins + 1)]
    below = [NormalDist(gain, error).cdf(edge) for edge in edges]
    return {
        "edges": edges,
        "counts": [1000 * (high - low) for low, high in itertools.pairwise(below)],
    }


def old(*, promote: bool = False) -> dict[str, Any]:
    """Return a verdict of format 1."""
    return {
        "promote": promote,
        "reasons": ["val_auc 0.7702 is worse than the champion's 0.7725", "test_loss is missing"],
        "challenger": {"name": MODEL, "version": 2, "run_id": run_id(2), "objective": {"metric": "val_auc", "mode": "max", "value": 0.7702}, "metrics": {}},
        "champion": {"name": MODEL, "version": 1, "run_id": run_id(1), "objective": {"metric": "val_auc", "mode": "max", "value": 0.7725}, "metrics": {}},
    }  # fmt: skip


def unloadable() -> dict[str, Any]:
    """Return a refusal because the champion does not load."""
    why = "the champion (v1) could not be loaded: model.bin has another SHA-256 than the manifest says"
    none = dict.fromkeys(("split", "look", "power", "selection", "pictures", "scores"))
    found = scored(
        promote=False, rules=[rule("superiority", None, passes=False, reason=why, asked="")], **none
    )
    return {**found, "reasons": [why], "differences": []}


def not_finite() -> dict[str, Any]:
    """Return a verdict in which numbers are missing, not finite, or no numbers at all."""
    broken = superiority(passes=False) | {"low": None, "high": math.inf, "gain": math.nan, "p": "NaN"}
    pictures = {
        "curves": [{"version": 2, "fpr": [0, math.nan], "tpr": [0, 1]}],
        "gains": {"edges": [0], "counts": []},
    }
    found = scored(promote=False, rules=[broken, guard("log_loss", gain=None, low=None, high=None)])
    return {**found, "pictures": pictures, "power": {"detectable": math.inf}, "took_s": "soon", "split": 7}


def many_guards() -> dict[str, Any]:
    """Return a verdict with twelve guards, three of them about parts of the rows."""
    measures = ("log_loss", "brier", "ece", "average_precision", "f1", "accuracy", "balanced", "mae", "size")
    guards = [guard(measure, place) for place, measure in enumerate(measures)]
    guards[8] = guard(
        "size", 8, challenger=353381, champion=353206, gain=-175, low=-175, high=-175, margin=176603, rows=0
    )
    parts = [
        guard("auc", place, slice=["country", name], passes=name != "IT")
        for place, name in enumerate(("DE", "FR", "IT"))
    ]
    parts = [{**each, "rule": "slice"} for each in parts]
    return scored(promote=False, rules=[superiority(), *guards, *parts])


def hostile(text: str) -> dict[str, Any]:
    """Return a verdict in which every text that others choose is `text`."""
    part = guard(text, slice=[text, text], reason=text, asked=text)
    found = scored(rules=[superiority(), part, rule(text, text)])
    split = {**found["split"], "name": text, "hash": text, "classes": {text: 7}, "cluster": text}
    selection = {**found["selection"], "metric": text}
    more = {"sentence": text, "reasons": [text, f"{text}."], "by": text, "at": text, "scores": text}
    return {
        **found,
        **more,
        "split": split,
        "selection": selection,
        "versions": {text: text},
        "printed": text,
    }


KINDS: dict[str, dict[str, Any]] = {
    "promoted": scored(),
    "refused": scored(promote=False),
    "old": old(),
    "unloadable": unloadable(),
    "not_finite": not_finite(),
    "no_split": scored(split=None, pictures=None, look=None, power=None, selection=None, basis="recorded"),
    "many_guards": many_guards(),
    "reliability": scored(
        pictures={
            "reliability": [
                {"version": number, "confidence": [0.35, 0.55, 0.75, 0.95], "accuracy": [0.3, 0.5 + number / 50, 0.7, 0.9], "rows": [40, 300, 600, 1200]}
                for number in (2, 1)
            ],
            "gains": gains(0.0123, 0.0033),
        }
    ),
    "residuals": scored(
        pictures={
            "residuals": [{"version": number, **gains(0.1 * number, 1.0 / number)} for number in (2, 1)],
            "gains": gains(0.0123, 0.0033),
        }
    ),
}  # fmt: skip


def judged_store(
    store: Path, verdict: dict[str, Any], *, name: str = MODEL, runs: bool = True
) -> ModelRegistry:
    """Write two runs and a model of two versions, of which the second has a verdict; return the registry."""
    registry = ModelRegistry(store)
    for number in (1, 2):
        if runs:
            artifacts = write_run(store, number) / "artifacts"
            artifacts.mkdir()
            (artifacts / "model.bin").write_bytes(b"weights")
        objective = {"metric": "val_auc", "mode": "max", "value": auc(number)}
        registry.register(name, run_id(number), files=["model.bin"], objective=objective)
        if number == 1:
            registry.promote(name, 1, reason="the first")
    registry.spend_look(name, 2, split=HASH, key="k")
    write_json(ModelPaths(store / "models" / name).verdict(2), verdict)
    if verdict["promote"]:
        registry.promote(name, 2, reason=verdict["reasons"][0])
    else:
        registry.refuse(name, 2, reason=verdict["reasons"][0])
    return registry


def judge_winner(sweep: Path, run: str, value: float, verdict: dict[str, Any]) -> ModelRegistry:
    """Let a run of a sweep be registered as its winner and judged; return the registry."""
    store = sweep.parent.parent
    artifacts = store / "runs" / run / "artifacts"
    artifacts.mkdir(exist_ok=True)
    (artifacts / "weights.bin").write_bytes(b"weights")
    registry = ModelRegistry(store)
    objective = {"metric": "val_auc", "mode": "max", "value": value}
    version = registry.register(MODEL, run, files=["weights.bin"], objective=objective)
    reasons = list(verdict["reasons"])
    decision = {"model_name": MODEL, "promoted": verdict["promote"], "run": run, "reasons": reasons}
    write_json(sweep / "promotion.json", {**decision, "version": version.version})
    challenger = {**verdict["challenger"], "run_id": run, "version": version.version}
    write_json(version.path / "verdict.json", {**verdict, "challenger": challenger})
    return registry
