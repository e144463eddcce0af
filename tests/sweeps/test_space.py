"""Reading a search space out of overrides."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given
from hypothesis import strategies as st

from sweeps import SettingsError
from sweeps.space import parse_space

CONFIGS = Path(__file__).parent / "apps" / "quadratic"


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def test_the_last_axis_varies_fastest(loader: ConfigLoader) -> None:
    space = parse_space({}, ["a=1,2", "b=x,y", "c=7"], loader)
    assert space.fixed == ("c=7",)
    assert list(space.grid()) == [("a=1", "b=x"), ("a=1", "b=y"), ("a=2", "b=x"), ("a=2", "b=y")]


def test_without_an_axis_there_is_one_job(loader: ConfigLoader) -> None:
    space = parse_space({}, ["a=1"], loader)
    assert len(space) == 1
    assert list(space.grid()) == [()]


def test_the_command_line_wins_over_the_config(loader: ConfigLoader) -> None:
    space = parse_space({"a": "1,2,3", "b": "4"}, ["a=9", "b=5,6"], loader)
    assert space.fixed == ("a=9",)
    assert space.axes == {"b": ("b=5", "b=6")}


def test_ranges_choices_and_globs_are_enumerated(loader: ConfigLoader) -> None:
    space = parse_space({}, ["a=range(0,3)", "b=choice(1e-3,1e-4)", "shape=glob(*)"], loader)
    assert space.axes["a"] == ("a=0", "a=1", "a=2")
    assert space.axes["b"] == ("b=0.001", "b=0.0001")
    assert space.axes["shape"] == ("shape=square", "shape=triangle")


def test_an_interval_is_refused_with_what_is_allowed(loader: ConfigLoader) -> None:
    with pytest.raises(SettingsError, match=r"a=interval\(0,1\).*allowed are a list"):
        parse_space({}, ["a=interval(0,1)"], loader)


def test_a_glob_that_matches_nothing_is_refused(loader: ConfigLoader) -> None:
    with pytest.raises(SettingsError, match="matches nothing"):
        parse_space({}, ["shape=glob(circle*)"], loader)


@given(st.lists(st.integers(1, 4), min_size=0, max_size=4))
def test_a_grid_has_as_many_points_as_the_product_of_its_axes(loader: ConfigLoader, sizes: list[int]) -> None:
    lines = [f"k{index}={','.join(str(n) for n in range(size + 1))}" for index, size in enumerate(sizes)]
    space = parse_space({}, lines, loader)
    points = list(space.grid())
    assert len(points) == len(space) == len(set(points))
