"""Searches of scikit-learn, logged after they were fitted: each candidate is a run.

Only attributes that all of its searches have are read, so scikit-learn itself is not imported, and searches of other
libraries that keep `cv_results_` are logged too.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from tracking.errors import InvalidValueError, quoted
from tracking.integrations.fitting import Fitting
from tracking.integrations.live import Live, start_of_training
from tracking.process.sweep_context import current_job
from tracking.run import Run
from tracking.values import jsontext
from tracking.values.plain import MAX_ELEMENTS

# The columns of cv_results_ that are metrics; the others are parameters, and those of a halving search below.
# The name of a scorer, at the end, is any text.
_COLUMN = re.compile(r"(mean|std|rank|split\d+)_(test|train)_.*|(mean|std)_(fit|score)_time", re.DOTALL)
_TEST = re.compile(r"split\d+_test_.*", re.DOTALL)
_ITERATION, _RESOURCES = "iter", "n_resources"
SAMPLES = "n_samples"  # the resource of a halving search that is none of the parameters


@dataclass(frozen=True)
class _Candidate:
    """Parameters that were tried, by the row about them: one, or one per iteration of a halving search."""

    rows: dict[int, dict[str, Any]]

    @property
    def params(self) -> dict[str, Any]:
        """Those of the last row: rows differ in a parameter that a halving search takes as its resource."""
        return [*self.rows.values()][-1]

    @property
    def last(self) -> int:
        """The last row."""
        return [*self.rows][-1]


def log_search(
    search: Any, experiment: str | None = None, *, store: str | PurePath | None = None, run: Run | None = None
) -> list[str]:
    """Log a fitted search, such as a GridSearchCV, with a run per candidate; return their ids in the order of candidates.

    A run has the parameters of its candidate and, as metrics, what `cv_results_` says of it under the names there:
    `mean_test_score`, `rank_test_score`, `split0_test_score`, `mean_fit_time`. One whose score is NaN, because fits failed,
    has `failed`. The best one has the tag `best`; that of the first candidate is the tag `sklearn.first_run` of all. Of a
    halving search, the points of a candidate have the resources as their step, and one that was left behind is `pruned`.

    Into a run that is given or open, and in a job of a sweep, the whole search goes into that one run: a point per row of
    `cv_results_`, all of it as the artifact `cv_results.json`, and of the best candidate `best_score` and the parameters
    `best.NAME`. Raise InvalidValueError for a search that was not fitted.
    """
    results, fitting = _results_of(search), Fitting()
    candidates = _candidates(results, str(getattr(search, "resource", SAMPLES)), fitting)
    live = Live(experiment, store=store, run=run, of_training=True)
    if not live.is_own or current_job() is not None:
        with live:
            _log_into(live, search, results, candidates, fitting)
        return [live.run.run_id]
    tags = {"sklearn.search": type(search).__name__, "sklearn.first_run": live.run.run_id}
    estimator = getattr(search, "estimator", None)
    if estimator is not None:
        tags["sklearn.estimator"] = type(estimator).__name__
    best, last = getattr(search, "best_index_", None), max(results.get(_ITERATION, [0]))
    found = []
    for number, candidate in enumerate(candidates):
        is_best = {"best": True} if best in candidate.rows else {}
        with live.run if number == 0 else start_of_training(experiment, store) as opened:
            opened.set_tags({**tags, "sklearn.candidate": number, **is_best})
            opened.log_params(candidate.params)
            for row in candidate.rows:
                fitting.log(opened, dict(_metrics(results, row)), _step(results, row))
            opened.finish(*_outcome(results, candidate.last, last))
        found.append(opened.run_id)
    return found


def _results_of(search: Any) -> Mapping[str, Any]:
    results = getattr(search, "cv_results_", None)
    if isinstance(results, Mapping) and len(results.get("params", ())) > 0:
        return results
    if callable(getattr(search, "fit", None)) and (hasattr(search, "estimator") or results is not None):
        raise InvalidValueError(
            f"{quoted(search)} was not fitted, so there is nothing to log; call its fit(X, y) first"
        )
    raise InvalidValueError(
        f"{quoted(search)} is no search; give a fitted GridSearchCV, RandomizedSearchCV or another one with cv_results_"
    )


def _candidates(results: Mapping[str, Any], resource: str, fitting: Fitting) -> list[_Candidate]:
    """Return the candidates in the order in which they were tried."""
    found: dict[Any, _Candidate] = {}
    seen: Counter[Any] = Counter()
    for row, params in enumerate(results["params"]):
        kept = fitting.params({name: _kept(value) for name, value in params.items()})
        key: Any = row
        if _ITERATION in results and resource == SAMPLES:
            # a halving search has a candidate in each of its iterations, as one and the same dict
            key = id(params)
        elif _ITERATION in results:
            # here as a copy with more of the resource; equal ones of one iteration are told apart by their order
            same = jsontext.encode({name: value for name, value in kept.items() if name != resource})
            each = int(results[_ITERATION][row]), same
            key = same, seen[each]
            seen[each] += 1
        found.setdefault(key, _Candidate({})).rows[row] = kept
    return list(found.values())


def _kept(value: Any) -> Any:
    if callable(getattr(type(value), "get_params", None)) and not isinstance(value, type):
        return " ".join(str(value).split())  # an estimator: its call, on one line
    shape = getattr(value, "shape", ())
    if isinstance(shape, tuple) and math.prod(shape) > MAX_ELEMENTS:
        return f"{type(value).__name__} of shape {shape}"
    return value


def _metrics(results: Mapping[str, Any], row: int) -> Iterator[tuple[str, Any]]:
    for name, column in results.items():
        if _COLUMN.fullmatch(name):
            yield name, column[row]


def _step(results: Mapping[str, Any], row: int) -> int | None:
    return int(results[_RESOURCES][row]) if _RESOURCES in results else None


def _outcome(results: Mapping[str, Any], row: int, last: int) -> tuple[str, str | None]:
    """Return the status and the error that the run of a candidate ends with, by its last row."""
    scores = {name: column[row] for name, column in results.items() if _TEST.fullmatch(name)}
    failed = sorted({name.partition("_")[0] for name, score in scores.items() if math.isnan(score)})
    if failed:
        splits = {name.partition("_")[0] for name in scores}
        return "failed", (
            f"{len(failed)} of {len(splits)} splits have no score: {', '.join(failed)}; "
            "with error_score='raise' the search shows why"
        )
    if _ITERATION in results and results[_ITERATION][row] < last:
        return "pruned", None
    return "completed", None


def _log_into(
    live: Live, search: Any, results: Mapping[str, Any], candidates: list[_Candidate], fitting: Fitting
) -> None:
    """Log all of a search into a run that has more to it."""
    by_row = {row: params for candidate in candidates for row, params in candidate.rows.items()}
    table = []
    for row, params in sorted(by_row.items()):
        metrics = dict(_metrics(results, row))
        fitting.log(
            live.run, {name: value for name, value in metrics.items() if not name.startswith("split")}, row
        )
        halving = {name: results[name][row] for name in (_ITERATION, _RESOURCES) if name in results}
        table.append({"params": params, **halving, **metrics})
    live.run.log_dict(table, "cv_results.json")
    best = getattr(search, "best_index_", None)
    if best is not None:
        live.log_params({f"best.{name}": value for name, value in by_row[int(best)].items()})
        if getattr(search, "best_score_", None) is not None:
            live.run.log({"best_score": search.best_score_})
