"""Points of a searched space: drawn, written as overrides, read back, and left out where a condition excludes a key."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from searched import make, numbers, searched_space, spaced

from sweeps import SettingsError
from sweeps.search.decisions import NewJob
from sweeps.search.dimensions import Choice, Number, dimension_of
from sweeps.search.searched_space import PART, SearchedSpace, Trial
from sweeps.settings.search_settings import Mode
from sweeps.space import values_of

EVERYTHING = (
    "a=tag(log,interval(1e-5,1e-1))",
    "b=int(interval(1,9))",
    "c=tag(log,int(interval(16,512)))",
    "d=choice(3,1,2)",
    "e=sgd,adam,'a b'",
    "f=true,false",
    "g=[64,32],[16]",
    "h=7",
    "i=5,5",
)


@given(st.integers(0, 10**6))
def test_a_drawn_point_is_read_back_with_the_same_values(seed: int) -> None:
    space = searched_space(*EVERYTHING)
    placed = space.draw(random.Random(seed))
    assert placed is not None
    assert space.find(placed.point) == placed
    assert space.read(values_of(placed.point)) == placed


def test_keys_of_one_value_are_set_and_no_dimension() -> None:
    space = searched_space(*EVERYTHING)
    assert {each.name for each in space.dimensions} == set("abcdefg")
    placed = space.draw(random.Random(0))
    assert placed is not None
    assert "i=5" in placed.point


def test_a_space_of_one_point_is_searched_in_one_job() -> None:
    search = make("x=1", n_trials=5)
    decision = search.decide()
    assert decision is not None
    search.asked(0, decision)
    assert search.decide() is None


def test_choices_that_are_numbers_are_in_order_and_others_are_not() -> None:
    by_name = {each.name: each for each in searched_space(*EVERYTHING).dimensions}
    in_order = by_name["d"]
    assert isinstance(in_order, Choice)
    assert in_order.is_ordered
    assert [in_order.lines(index) for index in range(3)] == [("d=1",), ("d=2",), ("d=3",)]
    assert not any(by_name[name].is_ordered for name in "efg" if isinstance(by_name[name], Choice))


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
@given(share=st.floats(0, 1))
def test_a_share_of_the_way_is_a_value_within_the_bounds_and_back(name: str, share: float) -> None:
    dimension = {each.name: each for each in searched_space(*EVERYTHING).dimensions}[name]
    value = dimension.at(share)
    assert 0 <= dimension.share(value) <= 1
    assert dimension.at(dimension.share(value)) == pytest.approx(value)
    assert dimension.find(dimension.lines(value)) == value


def test_whole_numbers_are_drawn_alike_the_ends_included() -> None:
    (axis,) = spaced("b=int(interval(1,4))")[0].parts[0].axes
    dimension = dimension_of(axis, "b")
    assert isinstance(dimension, Number)
    source = random.Random(0)
    drawn = [dimension.draw(source) for _ in range(4000)]
    assert all(900 < drawn.count(value) < 1100 for value in (1, 2, 3, 4))


@pytest.mark.parametrize(
    "point", [("x=2.0", "y=0.1"), ("x=0.5",), ("x=a", "y=0.1"), ("x=true", "y=0.1"), ("z=1",), ()]
)
def test_a_point_outside_of_the_space_is_not_of_it(point: tuple[str, ...]) -> None:
    assert searched_space("x=interval(-1.0,1.0)", "y=interval(0.0,1.0)").find(point) is None


@pytest.mark.parametrize(
    ("given", "own"),
    [
        (("x=0", "n=2", "name=a"), ("x=0.0", "n=2", "name=a")),
        (("x=1", "n=2.0", "name=a"), ("x=1.0", "n=2", "name=a")),
        (("x=1e0", "n=2", "name='a'"), ("x=1.0", "n=2", "name=a")),
        (("x=+.5", "n=2", 'name="a"'), ("x=0.5", "n=2", "name=a")),
        (("name=b", "n=2", "x=0.5"), ("x=0.5", "n=2", "name=b", "y=0.5")),
        (("x=0.5", "n=2"), None),  # lacks a key
        (("x=7", "n=2", "name=a"), None),  # out of bounds
        (("x=0", "n=2", "name=a", "z=1"), None),  # another key
    ],
)
def test_a_point_is_written_as_the_search_writes_it(
    given: tuple[str, ...], own: tuple[str, ...] | None
) -> None:
    space = searched_space(
        "x=interval(-1.0,1.0)",
        "n=int(interval(1,9))",
        "name=a,b,c",
        "y=interval(0,1.0)",
        when={"y": "name == 'b'"},
    )
    point = (*given, "y=0.5") if "name=b" in given else given
    assert space.own(point) == (own or point)


def test_a_point_of_a_function_is_written_as_the_function_draws_it() -> None:
    space = SearchedSpace(*spaced("z=1,2.5"), function=lambda trial: trial.suggest_float("x", 0, 4))
    assert space.own(("x=2", "z=1.0")) == ("z=1", "x=2.0")
    assert space.own(("x=2", "z=1.0", "w=3")) == ("x=2", "z=1.0", "w=3")


@pytest.mark.parametrize(
    ("lines", "space", "said"),
    [
        (("x=1,2",), {}, "draws x, which is swept already"),
        (("x=interval(0,1)",), {}, "draws x, which is swept already"),
        (("x=3",), {}, r"draws x, which is set already \(x=3\)"),
        ((), {"spaces": ({"x": "3", "z": "1,2"}, {"z": "3,4"})}, "draws x, which is swept already"),
    ],
)
def test_a_function_that_draws_what_is_set_already_is_refused(
    lines: tuple[str, ...], space: dict[str, object], said: str
) -> None:
    searched = SearchedSpace(*spaced(*lines, **space), function=lambda trial: trial.suggest_float("x", 0, 4))
    source = random.Random(0)
    with pytest.raises(SettingsError, match=f"space_function: {said}.*; remove one of the two"):
        [searched.draw(source) for _ in range(20)]  # a part that does not set the key is drawn
    other = SearchedSpace(*spaced(*lines, **space), function=lambda trial: trial.suggest_float("w", 0, 4))
    assert other.draw(random.Random(0)) is not None


@pytest.mark.parametrize("mode", [Mode.RANDOM, Mode.QMC])
@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"when": {"x": "foo == 'a'"}}, r"when.x: no job's config has foo"),
        ({"when": {"x": "kid == 'a'"}}, r"when.x: no job's config has kid; did you mean kind\?"),
        ({"when": {"x": "kind == 'a' or foo > 1"}}, r"when.x: no job's config has foo"),
        ({"filter": "x < 0.5 or model.deep > 1"}, r"filter: no job's config has model.deep"),
    ],
)
def test_a_name_that_no_point_has_is_refused(mode: Mode, conditions: dict[str, Any], said: str) -> None:
    lines = ("kind=a,b", "x=interval(0.0,1.0)")
    config = {"kind": "a", "x": 0.5, "model": {"depth": 1}}
    with pytest.raises(SettingsError, match=said):
        make(*lines, mode=mode, n_trials=4, space=conditions, config_of=lambda _: config)


@pytest.mark.parametrize("when", ["kind == 'a19'", "extra > 1", "kind == 'a0' and extra > 1"])
def test_a_name_that_few_points_have_is_a_name(when: str) -> None:
    lines = (f"kind={','.join(f'a{number}' for number in range(20))}", "x=interval(0.0,1.0)")
    search = make(
        *lines,
        n_trials=4,
        space={"when": {"x": when}},
        config_of=lambda point: {"extra": 2} if "kind=a19" in point else {},
    )
    assert search.decide() is not None


def test_conditions_whose_names_are_there_cost_one_config() -> None:
    configs: list[tuple[str, ...]] = []

    def config_of(point: tuple[str, ...]) -> dict[str, Any]:
        configs.append(point)
        return {"depth": 2}

    make(n_trials=4, space={"when": {"x": "depth > 1"}, "filter": "depth < 9"}, config_of=config_of)
    assert 1 <= len(configs) <= 2


def test_a_key_that_a_condition_excludes_is_no_coordinate() -> None:
    space = searched_space("kind=a,b", "x=interval(0.0,1.0)", when={"x": "kind == 'b'"})
    source = random.Random(0)
    drawn = [placed for _ in range(20) if (placed := space.draw(source))]
    assert {len(each.coordinates) for each in drawn} == {1, 2}
    for each in drawn:
        assert ("x" in each.coordinates) == ("kind=b" in each.point)
        assert space.find(each.point) == each
    assert space.find(("kind=b",)) is None  # a condition that holds excludes nothing


def test_a_filter_refuses_points() -> None:
    space = searched_space("x=interval(0.0,1.0)", filter="x < 0.5")
    assert space.draw(random.Random(0), tries=50) is not None
    assert space.find(("x=0.7",)) is None


def test_parts_have_dimensions_of_their_own_where_they_differ() -> None:
    space = searched_space(
        spaces=({"kind": "a", "x": "interval(0.0,1.0)"}, {"kind": "b", "x": "interval(5.0,9.0)", "y": "1,2"})
    )
    assert {each.name for each in space.dimensions} == {PART, "x", "x of part 1", "y"}
    source = random.Random(1)
    drawn = [placed for _ in range(20) if (placed := space.draw(source))]
    assert {each.coordinates[PART] for each in drawn} == {0, 1}
    for each in drawn:
        assert space.find(each.point) == each
        assert space.read(values_of(each.point)) == each


def test_every_point_of_a_small_space_can_be_listed() -> None:
    space = searched_space("x=1,2,3", "kind=a,b", filter="x < 3")
    assert len({placed.point for placed in space.every() or ()}) == 4
    assert searched_space("x=interval(0.0,1.0)").every() is None


def drawing(trial: Trial) -> None:
    rate = trial.suggest_float("rate", 1e-3, 1.0, log=True)
    if trial.suggest_categorical("kind", ["sgd", "adam"]) == "sgd":
        assert trial.suggest_float("momentum", 0.0, 1.0, step=0.25) in (0.0, 0.25, 0.5, 0.75, 1.0)
    assert trial.suggest_int("layers", 1, 9, step=4) in (1, 5, 9)
    assert trial.suggest_int("width", 8, 64, log=True) >= 8
    assert trial.suggest_float("rate", 1e-3, 1.0, log=True) == rate == trial.params["rate"]
    trial.suggest_int("one", 3, 3)


@given(st.integers(0, 10**6))
def test_a_function_draws_points_that_are_read_back(seed: int) -> None:
    space = SearchedSpace(*spaced(), function=drawing)
    placed = space.draw(random.Random(seed))
    assert placed is not None
    assert ("kind='sgd'" in placed.point) == any(line.startswith("momentum=") for line in placed.point)
    assert "one=3" in placed.point
    assert SearchedSpace(*spaced(), function=drawing).find(placed.point) == placed


def test_a_function_is_found_by_its_dotted_name_and_given_the_config() -> None:
    search = make("z=1", n_trials=3, space_function="searched.below", config={"high": 0.001})
    decision = search.decide()
    assert isinstance(decision, NewJob)
    assert numbers(decision.point)["x"] <= 0.001


@pytest.mark.parametrize("name", ["nowhere.f", "searched.nothing", "f", "searched.LINES"])
def test_a_function_that_cannot_be_called_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"space_function={name}"):
        make(n_trials=3, space_function=name)


@pytest.mark.parametrize(
    ("name", "said"),
    [("failing", "raised ValueError: no such thing"), ("idle", "draws nothing from its trial")],
)
def test_a_function_that_fails_or_draws_nothing_is_named(name: str, said: str) -> None:
    search = make(n_trials=3, space_function=f"searched.{name}")
    with pytest.raises(SettingsError, match=f"space_function=searched.{name}: {said}"):
        search.decide()
