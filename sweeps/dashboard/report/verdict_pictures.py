"""The pictures of a verdict, for readers without scripts: both versions, how the gain is spread, and each rule's interval."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.dashboard.report.drawing import ACCENT, GREY, INK, LINE, Facts, literal, named, sheet
from sweeps.dashboard.report.verdict_text import asked_of, tabled
from tracking.verdicts.words import measured, rule_name

if TYPE_CHECKING:  # loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OTHER = "#d55e00"
GOOD, BAD = "#1a7f4b", "#c0362c"
MOST_RULES = 20


def versions_picture(facts: Facts) -> "Figure | None":
    """Draw both versions on one chart, and the distribution of the gain beside it."""
    verdict = facts.get("verdict")
    if not verdict or not verdict["pictures"]:
        return None
    pictures = verdict["pictures"]
    drawn = [(name, draw) for name, draw in DRAWN.items() if pictures.get(name)]
    figure, panels = sheet(3.6, 1, 2, top=0.35)
    for axes, (name, draw) in zip(panels, drawn, strict=False):
        draw(axes, pictures[name], verdict)
    for axes in panels[len(drawn) :]:
        axes.remove()
    return figure


def rules_picture(facts: Facts) -> "Figure | None":
    """Draw the gain of each rule with its interval, against zero and what is asked, each in a scale of its own."""
    verdict = facts.get("verdict")
    rules = [] if not verdict else tabled(verdict)[:MOST_RULES]
    if not rules:
        return None
    names = [literal(rule_name(rule)) for rule in rules]
    room = 0.4 + 0.075 * max(map(len, names))
    figure, (axes,) = sheet(0.75 + 0.3 * len(rules), left=room, right=1.5)
    for passes, colour in ((True, GOOD), (False, BAD)):
        chosen = [
            (len(rules) - 1 - place, rule) for place, rule in enumerate(rules) if rule["passes"] is passes
        ]
        if chosen:
            _intervals(axes, chosen, colour)
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.6, len(rules) - 0.4))
    axes.set_yticks(range(len(rules)), names[::-1])
    axes.set_xticks([])
    axes.grid(visible=False)
    named(axes, "worse ← gain → better; solid: zero, dashed: what is asked", "")
    return figure


def _intervals(axes: "Axes", chosen: Sequence[tuple[int, Mapping[str, Any]]], colour: str) -> None:
    """Draw rules of one colour at their heights; one call for each kind of mark keeps the picture small."""
    heights = [height for height, _ in chosen]
    drawn = [_places(rule) for _, rule in chosen]
    low, high = [height - 0.32 for height in heights], [height + 0.32 for height in heights]
    axes.vlines([each["zero"] for each in drawn], low, high, color=GREY, linewidth=0.9)
    asked = [(each["asked"], *ends) for each, *ends in zip(drawn, low, high, strict=True) if "asked" in each]
    if asked:
        axes.vlines(*zip(*asked, strict=True), color=INK, linewidth=1.2, linestyle="--")
    starts = [each.get("low", 0.0 if "high" in each else each["gain"]) for each in drawn]
    stops = [each.get("high", 1.0 if "low" in each else each["gain"]) for each in drawn]
    axes.hlines(heights, starts, stops, color=colour, linewidth=2.4, alpha=0.55)
    axes.plot([each["gain"] for each in drawn], heights, color=colour, marker="o", markersize=5, linestyle="")
    for height, rule in chosen:
        words = f"{'✓' if rule['passes'] else '✗'} {measured(rule['measure'], rule['gain'])}"
        axes.text(1.06, height, literal(words), va="center", fontsize=8, color=colour)


def _places(rule: Mapping[str, Any]) -> dict[str, float]:
    """Return where a rule's numbers lie between 0 and 1; what is asked has no place where that is zero."""
    asked = asked_of(rule)
    known = {"zero": 0.0, "asked": asked or None, **{name: rule[name] for name in ("gain", "low", "high")}}
    numbers = {name: value for name, value in known.items() if value is not None}
    least, span = min(numbers.values()), (max(numbers.values()) - min(numbers.values())) or 1.0
    return {name: (value - least) / span for name, value in numbers.items()}


def _roc(axes: "Axes", curves: Sequence[Mapping[str, Any]], _verdict: Mapping[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
    for place, label, curve, style in _both(curves):
        axes.plot(curve["fpr"], curve["tpr"], label=label, zorder=4 - place, **style)
    named(axes, "false positive rate", "true positive rate")
    _legend(axes)


def _reliability(axes: "Axes", curves: Sequence[Mapping[str, Any]], _verdict: Mapping[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
    for place, label, curve, style in _both(curves):
        axes.plot(
            curve["confidence"],
            curve["accuracy"],
            label=label,
            marker="o",
            markersize=3,
            zorder=4 - place,
            **style,
        )
    named(axes, "confidence", "share that was right")
    _legend(axes)


def _residuals(axes: "Axes", curves: Sequence[Mapping[str, Any]], _verdict: Mapping[str, Any]) -> None:
    for place, label, curve, style in _both(curves):
        edges, counts = curve["edges"], curve["counts"]
        total = sum(counts) or 1
        pairs = itertools.pairwise(edges)
        heights = [
            count / total / ((high - low) or 1) for count, (low, high) in zip(counts, pairs, strict=True)
        ]
        axes.stairs(heights, edges, label=label, zorder=4 - place, **style)
    axes.set_yticks([])
    named(axes, "prediction - target", "rows")
    _legend(axes)


def _gains(axes: "Axes", gains: Mapping[str, Any], verdict: Mapping[str, Any]) -> None:
    rule = deciding_rule(verdict)
    asked = (rule and asked_of(rule)) or 0.0
    edges, counts = gains["edges"], gains["counts"]
    doubt = sum((low + high) / 2 <= asked for low, high in itertools.pairwise(edges))
    for part, colour in ((slice(0, doubt), BAD), (slice(doubt, None), ACCENT)):
        if counts[part]:
            ends = [*edges[:-1][part], edges[1:][part][-1]]
            axes.stairs(counts[part], ends, fill=True, color=colour, alpha=0.75)
    axes.axvline(0, color=GREY, linewidth=1)
    lines = [(asked, "asked", INK, "--")] if asked else [(0.0, "0, asked", GREY, "-")]
    if rule and rule["low"] is not None:
        lines.append((rule["low"], "bound", ACCENT, "-"))
    for place, (value, name, colour, style) in enumerate(lines):
        axes.axvline(value, color=colour, linewidth=1.4, linestyle=style)
        axes.annotate(name, (value, 1.0 + 0.06 * place), xycoords=("data", "axes fraction"), fontsize=8, color=INK, ha="center", va="bottom")  # fmt: skip
    axes.set_yticks([])
    axes.grid(visible=False)
    named(axes, f"gain of {(rule and rule['measure']) or 'the objective'} on rows that are drawn again", "")


def deciding_rule(verdict: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the rule about the objective: that it is better, or else that it is not worse; None without one."""
    first = verdict["differences"][0]["measure"] if verdict["differences"] else None
    for rule in verdict["rules"]:
        if rule["rule"] == "superiority":
            return dict(rule)
    for rule in verdict["rules"]:
        if rule["rule"] == "not_worse" and rule["slice"] is None and rule["measure"] == first:
            return dict(rule)
    return None


DRAWN: Mapping[str, Callable[["Axes", Any, Mapping[str, Any]], None]] = {
    "curves": _roc,
    "reliability": _reliability,
    "residuals": _residuals,
    "gains": _gains,
}


def _both(curves: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, Mapping[str, Any], dict[str, Any]]]:
    styles: tuple[dict[str, Any], ...] = (
        {"color": ACCENT, "linewidth": 1.8},
        {"color": OTHER, "linewidth": 1.5, "linestyle": "--"},
    )
    roles = ("challenger", "champion")
    return [
        (
            place,
            roles[place] if curve["version"] is None else f"v{curve['version']}, {roles[place]}",
            curve,
            style,
        )
        for place, (curve, style) in enumerate(zip(curves, styles, strict=False))
    ]


def _legend(axes: "Axes") -> None:
    axes.legend(fontsize=7.5, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
