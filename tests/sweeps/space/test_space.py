"""Reading a search space, and the points that come out of it."""

import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_loader import ConfigLoader
from hypothesis import given
from hypothesis import strategies as st

from sweeps import SettingsError
from sweeps.settings.search_settings import Mode
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Expansion, Point, expand, read_space, values_of
from sweeps.space.points import written

Points = Callable[..., list[Point]]


def test_in_a_grid_the_last_axis_varies_fastest(points: Points) -> None:
    assert points("a=1,2", "b=x,y", "c=7") == [("a=1", "b=x"), ("a=1", "b=y"), ("a=2", "b=x"), ("a=2", "b=y")]


def test_without_an_axis_there_is_one_job(points: Points) -> None:
    assert points("a=1") == [()]


def test_the_command_line_wins_over_the_config(points: Points, loader: ConfigLoader) -> None:
    settings = SpaceSettings({"a": "1,2,3", "b": "4"})
    space = read_space(settings, ["a=9", "b=5,6"], loader)
    assert space.fixed == ("a=9",)
    assert space.swept == ("b",)
    assert expand(space, settings).points == [("b=5",), ("b=6",)]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a=range(0,3)", ["a=0", "a=1", "a=2"]),
        ("a=choice(1e-3,1e-4)", ["a=0.001", "a=0.0001"]),
        ("shape=glob(*)", ["shape=square", "shape=triangle"]),
        ("shape=glob([s*,t*],exclude=tri*)", ["shape=square"]),
        ("a=sort(3,1,2)", ["a=1", "a=2", "a=3"]),
        ("a=sort(range(0,3),reverse=true)", ["a=2", "a=1", "a=0"]),
        ("a=tag(x,choice(1,2))", ["a=1", "a=2"]),
        ("a=[1,2],[3]", ["a=[1,2]", "a=[3]"]),
        ("+a=1,2", ["+a=1", "+a=2"]),
        ("a='x,y',z", ["a='x,y'", "a=z"]),
        ("a=int(3.7,2.2)", ["a=3", "a=2"]),
    ],
)
def test_hydras_grammar_is_enumerated(points: Points, line: str, values: list[str]) -> None:
    assert points(line) == [(value,) for value in values]


def test_a_shuffled_axis_is_shuffled_in_the_same_way_again(points: Points) -> None:
    line = "a=shuffle(range(0,20))"
    assert points(line, seed=3) == points(line, seed=3)
    assert points(line, seed=3) != points(line, seed=4)
    assert sorted(points(line)) == sorted(points("a=range(0,20)"))


def test_zip_takes_the_first_values_together_then_the_second(points: Points) -> None:
    assert points("a=1,2,3", "b=x,y,z", mode=Mode.ZIP) == [("a=1", "b=x"), ("a=2", "b=y"), ("a=3", "b=z")]
    with pytest.raises(SettingsError, match="same number of values: a has 2, b has 3"):
        points("a=1,2", "b=x,y,z", mode=Mode.ZIP)


def test_random_points_come_from_the_seed_and_are_different(points: Points) -> None:
    lines = ("a=interval(0,1)", "b=tag(log,interval(1e-5,1e-1))", "c=int(interval(1,9))", "d=x,y")
    drawn = points(*lines, mode=Mode.RANDOM, n_trials=50, seed=1)
    assert drawn == points(*lines, mode=Mode.RANDOM, n_trials=50, seed=1)
    assert drawn != points(*lines, mode=Mode.RANDOM, n_trials=50, seed=2)
    assert len(set(drawn)) == 50
    values = [values_of(point) for point in drawn]
    assert all(0 <= each["a"] <= 1 and 1e-5 <= each["b"] <= 1e-1 and each["d"] in "xy" for each in values)
    assert all(isinstance(each["c"], int) and 1 <= each["c"] <= 9 for each in values)
    assert 15 <= sum(each["b"] < 1e-3 for each in values) <= 35  # even on a logarithmic scale


def drawn(loader: ConfigLoader, line: str, times: int, seed: int = 0) -> list[Any]:
    """What an axis draws."""
    (part,) = read_space(SpaceSettings({}), [line], loader).parts
    source = random.Random(seed)
    return [values_of(part.axes[0].draw(source))["a"] for _ in range(times)]


@pytest.mark.parametrize(
    ("line", "low", "high"),
    [
        ("a=int(interval(1,3))", 1, 3),
        ("a=int(interval(-2,2))", -2, 2),
        ("a=int(interval(0,1))", 0, 1),
        ("a=tag(int,interval(0.5,4.5))", 1, 4),
        ("a=tag(log,int(interval(1,6)))", 1, 6),
        ("a=int(tag(log,interval(2,9)))", 2, 9),
        ("a=tag(int,log,interval(0.3,5))", 1, 5),
    ],
)
def test_a_whole_interval_draws_its_ends_as_often_as_their_neighbours(
    loader: ConfigLoader, line: str, low: int, high: int
) -> None:
    found = Counter(drawn(loader, line, 4_000))
    assert set(found) == set(range(low, high + 1))

    def stretch(number: float) -> float:
        return math.log(number) if "log" in line else number

    whole = stretch(high + 0.5) - stretch(low - 0.5)
    for number, count in found.items():
        share = (stretch(number + 0.5) - stretch(number - 0.5)) / whole
        assert abs(count / 4_000 - share) < 5 * math.sqrt(share * (1 - share) / 4_000)


@given(
    st.sampled_from(["interval(LOW,HIGH)", "tag(log,interval(LOW,HIGH))", "int(interval(LOW,HIGH))",
                     "tag(log,int(interval(LOW,HIGH)))"]),
    st.integers(1, 10**15), st.integers(1, 10**15), st.integers(0, 99),
)  # fmt: skip
def test_no_draw_lies_outside_of_its_interval(
    loader: ConfigLoader, kind: str, low: int, more: int, seed: int
) -> None:
    line = "a=" + kind.replace("LOW", str(low)).replace("HIGH", str(low + more))
    for value in drawn(loader, line, 20, seed):
        assert low <= value <= low + more
        assert isinstance(value, int if "int(" in line else float)


def test_asking_for_more_random_points_than_there_are_gives_them_all_once(points: Points) -> None:
    drawn = points("a=1,2", "b=x,y", mode=Mode.RANDOM, n_trials=99)
    assert sorted(drawn) == sorted(points("a=1,2", "b=x,y"))


def test_points_come_from_a_table_or_a_list(points: Points, tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    table.write_text('a, b, shape.sides\n1, x, "[1,2]"\n2,,3\n')
    expected = [("a=1", "b=x", "shape.sides=[1,2]"), ("a=2", "shape.sides=3")]
    assert points(mode=Mode.LIST, points=str(table)) == [tuple(point) for point in expected]
    (tmp_path / "points.json").write_text('[{"a": 1.5, "b": "x y"}, {"a": null, "b": [true, {"k": "v"}]}]')
    given = points(mode=Mode.LIST, points=str(tmp_path / "points.json"))
    assert [values_of(point) for point in given] == [
        {"a": 1.5, "b": "x y"},
        {"a": None, "b": [True, {"k": "v"}]},
    ]
    assert points("c=7,8", points=[{"a": 1}, {"a": 2}]) == [
        ("a=1", "c=7"),
        ("a=1", "c=8"),
        ("a=2", "c=7"),
        ("a=2", "c=8"),
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.floats(-9, 9)
    | st.text("ab '\"\\,{}[]:=$", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["k", "l"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(JSON)
def test_a_value_in_a_list_of_points_reaches_the_job_as_it_is(points: Points, value: Any) -> None:
    if isinstance(value, str) and "$" in value:
        return  # an interpolation, or an error, for OmegaConf to tell
    (point,) = points(mode=Mode.LIST, points=[{"a": value}])
    assert values_of(point) == {"a": value}
    assert written(value)


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_a_value_in_the_config_that_is_no_text_is_that_value(loader: ConfigLoader, value: Any) -> None:
    if "$" in str(value):
        return  # as above
    for settings in (SpaceSettings({"a": value}), SpaceSettings({}, spaces=({"a": value},))):
        assert values_of(read_space(settings, ["b=1,2"], loader).fixed) == {"a": value}


def test_a_union_runs_one_space_after_the_other_and_each_point_once(points: Points) -> None:
    spaces = ({"a": "1,2", "b": "x"}, {"a": "2,3", "b": "x"}, {"c": "7"})
    assert points(spaces=spaces) == [("b=x", "a=1"), ("b=x", "a=2"), ("b=x", "a=3"), ("c=7",)]
    assert points("d=0,1", spaces=({"a": "1"}, {"a": "2"})) == [
        ("a=1", "d=0"),
        ("a=1", "d=1"),
        ("a=2", "d=0"),
        ("a=2", "d=1"),
    ]


def test_a_conditional_key_is_swept_only_where_its_condition_holds(points: Points) -> None:
    found = points("shape=square,triangle", "shape.sides=1,2", when={"shape.sides": "shape == 'triangle'"})
    assert found == [
        ("shape=square",),
        ("shape=triangle", "shape.sides=1"),
        ("shape=triangle", "shape.sides=2"),
    ]
    with pytest.raises(SettingsError, match=r"when\.a"):
        points("a=1,2", when={"a": "b ==="})


def test_each_point_is_repeated_with_so_many_seeds(points: Points) -> None:
    assert points("a=1,2", repeat=2, first_seed=5) == [
        ("a=1", "seed=5"),
        ("a=1", "seed=6"),
        ("a=2", "seed=5"),
        ("a=2", "seed=6"),
    ]
    with pytest.raises(SettingsError, match="repeat=3: seed is swept already"):
        points("a=1,2", "seed=1,2", repeat=3)


def test_repeats_begin_with_a_seed_that_is_set(points: Points) -> None:
    assert points("a=1", "seed=5", repeat=2, first_seed=5) == [("seed=5",), ("seed=6",)]
    assert points("a=1,2", params={"seed": 7}, repeat=2, first_seed=0)[:2] == [
        ("a=1", "seed=7"),
        ("a=1", "seed=8"),
    ]


def test_repeats_add_the_key_of_the_seed_only_when_asked_to(points: Points) -> None:
    assert points("a=1", repeat=2, first_seed=None, adds_seed=True) == [("++seed=0",), ("++seed=1",)]
    assert points("a=1", repeat=2, first_seed=3, adds_seed=True) == [("seed=3",), ("seed=4",)]
    with pytest.raises(SettingsError, match=r"repeat=2: the config has no seed .* seed_key=\+seed"):
        points("a=1", repeat=2, first_seed=None)
    with pytest.raises(SettingsError, match="repeat=2: seed is swept already"):
        points("+seed=1,2", repeat=2, first_seed=None)


def test_points_that_come_again_are_told(expanded: Callable[..., Expansion]) -> None:
    assert expanded("a=1,1,2").notes == ("1 of 3 points are duplicates; each point runs once",)


def test_a_seed_key_that_the_config_lacks_is_told(expanded: Callable[..., Expansion]) -> None:
    lacks = {"seed_key": "nope", "first_seed": None}
    assert expanded("a=1,2", **lacks).notes == (
        "seed_key=nope: the config has no such key, so no jobs count as repeats",
    )
    assert not expanded("a=1,2", "+nope=1,2", **lacks).notes
    assert not expanded("a=1,2", "+nope=1", **lacks).notes
    assert not expanded("a=1,2", seed_key="nope", first_seed=3).notes
    assert not expanded("a=1,2", first_seed=None).notes  # the default


@pytest.mark.parametrize(
    ("items", "axis"),
    [
        ([1, None], "'1,null'"),
        ([1, {"a": None}], "'1,{a:null}'"),
        (["sgd", "a b", "1", "null", "x,y"], "\"sgd,a b,'1','null','x,y'\""),
        ([[1, 2], True, math.inf], "'[1,2],True,inf'"),
    ],
)
def test_a_list_is_answered_with_the_axis_that_may_have_been_meant(
    points: Points, loader: ConfigLoader, items: list[Any], axis: str
) -> None:
    settings = SpaceSettings({"a": items})
    (note,) = expand(read_space(settings, [], loader), settings).notes
    assert note.endswith(f"a list is one value; to sweep over its items write {axis}")
    meant = points(params={"a": axis[1:-1]})
    assert [values_of(point)["a"] for point in meant] == items


def test_a_group_at_two_packages_is_two_axes(points: Points) -> None:
    assert points("shape@one=square,triangle", "shape@two=square,triangle") == [
        (f"shape@one={one}", f"shape@two={two}")
        for one in ("square", "triangle")
        for two in ("square", "triangle")
    ]
    assert points("shape=triangle", "+shape@two=square,triangle") == [
        ("+shape@two=square",),
        ("+shape@two=triangle",),
    ]


def test_a_key_can_be_taken_away_and_set_anew(points: Points, loader: ConfigLoader) -> None:
    settings = SpaceSettings({})
    space = read_space(settings, ["~d", "+d={z:1},{z:2}"], loader)
    assert space.fixed == ("~d",)
    assert space.swept == ("d",)
    assert expand(space, settings).points == [("+d={z:1}",), ("+d={z:2}",)]


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["a=range(0,9,0)"], {}, r"a=range\(0,9,0\): .*zero"),
        (["a=range(0,2000000)"], {}, "has more than 1,000,000 values"),
        (["a=range(0,1001)", "b=range(0,1000)"], {}, "a grid of 1,001,000 points: allowed are 1,000,000"),
        (["a=interval(0,1)"], {}, r"a=interval\(0,1\): a continuous interval cannot be listed.*mode=random"),
        (["a=interval(1,0)"], {}, "low < high"),
        (["a=tag(log,interval(0,1))"], {}, "0 < low if tagged log"),
        (["a=interval(0,inf)"], {}, "low < high"),
        (
            ["a=tag(lgo,interval(0,1))"],
            {},
            r"a=tag\(lgo,interval\(0,1\)\): unknown tag lgo; allowed are int, log",
        ),
        (["a=tag(int,lin,interval(0,1))"], {}, "unknown tag lin"),
        (
            ["a=1,2", "+seed=abc"],
            {"repeat": 2, "first_seed": None},
            "repeat=2: seed=abc: allowed is a whole number",
        ),
        (["a=1,2", "++seed=5.5"], {"repeat": 2}, "repeat=2: seed=5.5: allowed is a whole number"),
        (["a=1,2", "seed=true"], {"repeat": 2}, "repeat=2: seed=True: allowed is a whole number"),
        (["a=1,2"], {"repeat": 2, "first_seed": "abc"}, "repeat=2: seed=abc: allowed is a whole number"),
        (["a=tag(int,interval(1.2,1.7))"], {}, "no whole number lies in between"),
        (["shape=glob(circle*)"], {}, "matches nothing"),
        (["a=1,2"], {"mode": Mode.RANDOM}, "needs n_trials"),
        (["a=1,2"], {"mode": Mode.LIST}, "needs points"),
        (["b=1,2"], {"mode": Mode.LIST, "points": [{"a": 1}]}, "b is swept beside the points"),
        (["a=1,2"], {"points": [{"a": 1}]}, "points and an override both set a"),
        ([], {"points": []}, "has no points"),
        ([], {"points": [{}]}, "point 0 must be a mapping of at least one key to a value, not {}"),
        ([], {"points": [7]}, "point 0 must be a mapping of at least one key"),
        ([], {"points": "nowhere.csv"}, "points=nowhere.csv: cannot be read"),
        ([], {"points": [{"a": 1}], "n_trials": 3, "mode": Mode.RANDOM, "params": {"b": "=("}}, "b"),
    ],
)
def test_a_space_that_cannot_be_is_refused_with_what_is_allowed(
    points: Points, arguments: list[str], settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(Exception, match=said):
        points(*arguments, **settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n1,2,3\n", r"line 3 has more cells"),
        ("a,a\n1,2\n", r"has more than one column a"),
        ("a;b\n1;2\n", r"is separated by semicolons; allowed are commas"),
        ("a\tb\n1\t2\n", r"is separated by tabs"),
        ("a,b\n1,c=d\n", r"points\.csv: line 2: b=c=d: "),
        ('a,b\n1,"x, y"\n', r"line 2: b=x, y is a list of values; .* quote it inside the cell: \"'x, y'\""),
        ("a,\n1,2\n", r"column 2 has no name in the first line"),
        ("a,b\n1,2\n,\n", r"line 3 has only empty cells; allowed is a value in at least one"),
        ("a,b\n", "has no points"),
        ("", "has no points"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_by_its_line(
    points: Points, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "points.csv").write_text(text)
    with pytest.raises(SettingsError, match=said):
        points(points=str(tmp_path / "points.csv"))


def test_a_table_of_a_spreadsheet_begins_with_a_mark(points: Points, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("a,b\n1,2\n", encoding="utf-8-sig")
    assert points(mode=Mode.LIST, points=str(tmp_path / "points.csv")) == [("a=1", "b=2")]


def test_a_blank_line_is_no_point_and_an_empty_cell_leaves_its_key_alone(
    points: Points, tmp_path: Path
) -> None:
    (tmp_path / "points.csv").write_text("a,b\n1,\n\n2,3\n  \n")
    assert points(mode=Mode.LIST, points=str(tmp_path / "points.csv")) == [("a=1",), ("a=2", "b=3")]


def test_a_cell_that_is_quoted_as_the_error_says_is_one_value(points: Points, tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    table.write_text('a,b\n1,"""x"", y"\n')
    with pytest.raises(SettingsError) as error:
        points(points=str(table))
    quoted = str(error.value).rpartition("inside the cell: ")[2]
    table.write_text(f"a,b\n1,{quoted}\n")
    assert points(mode=Mode.LIST, points=str(table)) == [("a=1", "b='\"x\", y'")]


def test_a_json_file_of_something_else_is_named_once(points: Points, tmp_path: Path) -> None:
    (tmp_path / "points.json").write_text('{"a": 1}')
    with pytest.raises(SettingsError) as error:
        points(points=str(tmp_path / "points.json"))
    assert str(error.value).count("points.json") == 1


@given(st.lists(st.integers(1, 4), min_size=0, max_size=4))
def test_a_grid_has_as_many_points_as_the_product_of_its_axes(points: Points, sizes: list[int]) -> None:
    lines = [f"k{index}={','.join(str(n) for n in range(size + 1))}" for index, size in enumerate(sizes)]
    found = points(*lines)
    expected = 1
    for size in sizes:
        expected *= size + 1
    assert len(found) == len(set(found)) == expected
