"""What other programs log, made fit for a run: names are escaped, and values that it refuses are left out.

So a training goes on whatever it logs. Only a store that cannot be written ends it.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from tracking.errors import InvalidNameError, InvalidValueError, quoted
from tracking.run import Run
from tracking.values.checks import metric_value, param_values
from tracking.values.names import fitted_label
from tracking.values.plain import item

log = logging.getLogger("tracking")

REFUSALS = InvalidNameError, InvalidValueError


class Fitting:
    """Logs what another program names and holds; warns once of each value that is left out."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def log(self, run: Run, metrics: Mapping[str, Any], step: Any = None) -> None:
        """Log one point per metric that is a number; of a boolean 0 or 1. Raise InvalidValueError for a step that is none."""
        try:
            run.log(metrics, step)
        except REFUSALS:  # then nothing is kept
            run.log(self.kept("metric", metrics, _number), step)

    def params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters as plain values, with "***" for those that look secret."""
        return self.kept("parameter", params, lambda name, value: param_values({name: value})[name])

    def kept(self, kind: str, values: Mapping[str, Any], taken: Callable[[str, Any], Any]) -> dict[str, Any]:
        """Return what `taken` makes of each name and value; without those that it refuses, or that hold themselves."""
        found = {}
        for given, value in values.items():
            name = fitted_label(str(given))
            try:
                found[name] = taken(name, value)
            except (*REFUSALS, RecursionError) as error:
                if (kind, name) not in self._said:
                    self._said.add((kind, name))
                    why = "it holds itself" if isinstance(error, RecursionError) else error
                    log.warning("%s %s is left out: %s", kind, quoted(name), why)
        return found


def _number(name: str, value: Any) -> Any:
    number = item(value)
    return int(number) if isinstance(number, bool) else metric_value(name, number)
