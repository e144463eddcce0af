"""What the rules name, looked up in the scores before a look is spent: measures, columns, and the means to time a prediction."""

from collections.abc import Callable, Iterator
from functools import partial

from tracking.gate.measuring import attempted, measure_for, same_measure
from tracking.gate.outcomes import Question
from tracking.gate.rules import LATENCY, SIZE, is_recorded
from tracking.gate.scores import Scores, column_of


def unknown_names(question: Question, challenger: Scores, champion: Scores | None) -> Iterator[str]:
    """Yield why a rule cannot be judged by these scores whatever they say, a sentence each, which begins with the key."""
    settings, objective = question.settings, question.objective
    rules = settings.rules
    for name in rules.not_worse:
        if LATENCY.fullmatch(name):
            without = [
                each for each in (challenger, champion) if each is not None and each.predict_one is None
            ]
            if without:
                yield f"rules.not_worse.{name}: the scorer gives no 'predict_one' to measure the latency with"
        elif name != SIZE:
            mode = objective.mode if same_measure(name, objective.label) else None
            yield from _problem(f"rules.not_worse.{name}", partial(measure_for, name, challenger, mode))
    for name in rules.thresholds:
        if not is_recorded(name):
            yield from _problem(f"rules.thresholds.{name}", partial(measure_for, name, challenger))
    for column in rules.slices:
        yield from _problem(f"rules.slices.{column}", partial(column_of, challenger, column))
    if settings.cluster is not None:
        yield from _problem("cluster", partial(column_of, challenger, settings.cluster))
    if champion is not None:
        first, problem = attempted(partial(measure_for, objective.label, challenger, objective.mode))
        if first is None:
            yield f"{objective.label} cannot be judged: {problem}"
        elif not rules.superiority:
            guards = [attempted(partial(measure_for, name, challenger))[0] for name in rules.not_worse]
            names = {each.name for each in guards if each is not None}
            if first.name not in names and not any(
                same_measure(each, objective.label) for each in rules.not_worse
            ):
                yield f"rules.superiority=false needs rules.not_worse.{first.name}: how much worse it may be"


def _problem(key: str, look_up: Callable[[], object]) -> Iterator[str]:
    found, problem = attempted(look_up)
    if found is None:
        yield f"{key}: {problem}"
