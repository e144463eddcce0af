"""YAML of others: its values as they are written, or one error, soon."""

import pytest

from tracking.values import yamltext


def test_a_text_is_its_values() -> None:
    text = "a: &a {x: 1, y: [true, null]}\nb: {<<: *a, x: 1.5}\nc: *a\n"
    inner = {"x": 1, "y": [True, None]}
    assert yamltext.decode(text) == {"a": inner, "b": {**inner, "x": 1.5}, "c": inner}
    assert yamltext.decode(b"") is None


def times_ten(kind: str) -> str:
    """A short text whose last value would hold those of the first 10^8 times."""
    levels = zip("abcdefgh", "bcdefghi", strict=True)
    return "a: &a {k: 1}\n" + "".join(
        f"{name}: &{name} {kind % ', '.join([f'*{above}'] * 10)}\n" for above, name in levels
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (times_ten("[%s]"), "more than 100000 values"),
        (times_ten("{<<: [%s]}"), "more than 100000 values"),
        (times_ten("!!pairs [{x: [%s]}]"), "more than 100000 values"),
        ("a: &a {<<: *a}", "more than 100000 values"),
        ("a: &a [*a]", "more than 100000 values"),
        ("a: &a [" + "*a," * 50_000 + "]", "more than 100000 values"),
        ("1" + ":1" * 1_000_000, "a number of 2000001 characters"),
        ("1" + ":1" * 400 + ".5", "not of its tag"),
        ('!!bool "x"', "not of its tag"),
        ('!!int ""', "not of its tag"),
        ('!!timestamp "x"', "not of its tag"),
        ("2026-99-99", "month must be in"),
        ("9" * 999 + "_" * 5000, "a number of 5999 characters"),
        ("[" * 5000, "recursion"),
        ("a: b: c", "mapping values are not allowed here"),
        ("? {a: 1}\n: 2", "unhashable"),
        ("!!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("\0", "special characters are not allowed"),
        (b"\xff", "invalid start byte"),
    ],
)
def test_what_is_no_yaml_or_too_much_is_one_error(text: str | bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        yamltext.decode(text)
