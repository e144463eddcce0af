"""Warnings of jobs are grouped: texts that differ in numbers alone are one kind, shown once with the number of its jobs."""

import pytest

from sweeps.jobs import Event, EventKind
from sweeps.warned import MOST_KINDS, Warned, kind_of


def warning(job: int, text: str, how: str = "WARNING") -> Event:
    return Event(EventKind.WARNING, job, {"how": how, "text": text})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("step 7 took 1.5 s", "step 12 took 3e-05 s"),
        ("/store/jobs/1/model.pt is damaged", "/store/jobs/12/model.pt is damaged"),
        ("'/store/runs/run_001/m.pt' is damaged", "'/store/runs/run_002/m.pt' is damaged"),
        ("<Model object at 0x7f00ab>", "<Model object at 0x6e11cd>"),
        ("the loss is nan", "the loss is 0.3"),
    ],
)
def test_numbers_do_not_make_another_kind(one: str, other: str) -> None:
    assert kind_of("WARNING", one) == kind_of("WARNING", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("column 'x1' is empty", "column 'x2' is empty"),
        ('column "1" is empty', 'column "2" is empty'),
        ("c1 is empty", "c2 is empty"),
        ("it doesn't fit", "it does fit"),
    ],
)
def test_names_make_another_kind(one: str, other: str) -> None:
    assert kind_of("WARNING", one) != kind_of("WARNING", other)


def test_a_category_makes_another_kind() -> None:
    assert kind_of("UserWarning", "x") != kind_of("FutureWarning", "x")


def test_a_kind_is_new_once_and_counts_its_jobs() -> None:
    warned = Warned()
    new = [warned.hear(warning(job, f"step {job} is slow")) is not None for job in (3, 4, 3, 5)]
    assert new == [True, False, False, False]
    (kind,) = warned.kinds
    assert kind.first == "job 3 warns: step 3 is slow"
    assert kind.all == "job 3 warns (also in 2 further jobs): step 3 is slow"
    assert kind.to_json() == {"how": "WARNING", "text": "step 3 is slow", "job": 3, "jobs": 3}


def test_errors_and_categories_are_named() -> None:
    warned = Warned()
    logged = warned.hear(warning(0, "no such file", "ERROR"))
    shown = warned.hear(warning(0, "use another one", "FutureWarning"))
    assert logged is not None
    assert shown is not None
    assert logged.first == "job 0 logs: ERROR: no such file"
    assert shown.first == "job 0 warns: FutureWarning: use another one"


def test_what_the_sweep_has_said_itself_is_no_news() -> None:
    warned = Warned()
    warned.know(["column 'id' is left out"])
    assert warned.hear(warning(0, "column 'id' is left out")) is None
    assert warned.kinds == []


def test_however_many_kinds_there_are_a_bounded_number_is_kept() -> None:
    warned = Warned()
    for name in range(MOST_KINDS + 3):
        warned.hear(warning(0, f"column 'c{name}' is empty"))
    assert (len(warned.kinds), warned.further) == (MOST_KINDS, 3)
