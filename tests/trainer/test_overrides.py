"""Values that Hydra's grammar refuses are told with the quotes they need, and advice can be pasted as it is."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from trainer import inspect
from trainer.app import explain
from trainer.overrides import override, refused, setting

NAMES = (
    "a", "a b", ";", "|", ",", "\\t", "it's", 'a"b', '"', "'", "a\\", "a\\'b", 'a\\"b', "C:\\x\\y.csv", "price (EUR)", "Größe",
    "#id", ">50K", "<=50K", "yes!", "$x", "`x`", "null", "True", "1.10", "007", "1e5", "-", "?", "a=b", "a,b", "[x]", "{y}",
    "~/x.csv", "€", "a\\\\b", "\\", " a", "a ", "", "a\tb", "x: y", "nan", ".5", "a&b", "data (1).csv", "/a/b-c.csv", "/", "_",
)  # fmt: skip


def read(word: str) -> Any:
    """Return the value of a word as Hydra has it after a shell has read it."""
    (plain,) = shlex.split(word)
    (found,) = OverridesParser.create().parse_overrides([plain])
    value = found.value()
    return (
        [getattr(each, "text", each) for each in value]
        if isinstance(value, list)
        else getattr(value, "text", value)
    )


@pytest.mark.parametrize("name", NAMES)
def test_advice_means_the_same_to_a_shell_and_to_hydra(name: str) -> None:
    assert read(setting("data.target", name)) == name
    assert read(override("data.drop", name, "b")) == [name, "b"]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("data.separator=;", ";"),
        ("data.separator=,", ","),
        ("data.decimal=,", ","),
        ("data.thousands='", "'"),
        ("data.path=my file (1).csv", "my file (1).csv"),
        ("data.path=it's.csv", "it's.csv"),
        ("data.path=a=b.csv", "a=b.csv"),
        ("data.target=price (EUR)", "price (EUR)"),
        ("data.target=Größe", "Größe"),
        ("data.target=#id", "#id"),
        ("data.positive=>50K", ">50K"),
        ("data.sheet=Q1 (final)", "Q1 (final)"),
        ("description=it runs!", "it runs!"),
        ("data.drop=[a (x), b]", ["a (x)", "b"]),
        ("data.missing_values=[#N/A,-200]", ["#N/A", "-200"]),
        ("+data.missing_values=[<NA>]", ["<NA>"]),
    ],
)
def test_a_value_that_hydra_refuses_is_told_in_quotes(word: str, value: Any) -> None:
    with pytest.raises(OverrideParseException) as caught:
        OverridesParser.create().parse_overrides([word])
    message = explain(caught.value)
    assert message.startswith(f"{word}: Hydra reads this value only in quotes, ")
    advice = message.rpartition("around them: ")[2]
    assert advice.strip("'\"").startswith(word.partition("=")[0])
    assert read(advice) == value


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.target", "'data.target' is not KEY=VALUE, such as data.target=y, without blanks around the ="),
        ("data. x=1", "is not KEY=VALUE"),
        ("data.path=~/x.csv", f"a shell leaves this ~ as it is; write data.path={Path.home()}/x.csv"),
        ("data.drop=[a;b", "the list is not closed; a list with blanks in it needs quotes for the shell"),
    ],
)
def test_a_word_that_is_no_override_is_told(word: str, message: str) -> None:
    assert message in str(refused(word))


@pytest.mark.parametrize("word", ["training.learning_rate=interval(1", "data.separator={a"])
def test_what_quotes_would_not_mend_is_left_to_hydra(word: str) -> None:
    assert refused(word) is None


def test_the_command_shows_how_to_quote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t (1).csv"
    path.write_text("a;y;b\n" + "1,5;u;3\n2,5;v;2\n" * 9)
    assert inspect.main([str(path), "data.target=y", "data.separator=;"]) == 1
    assert capsys.readouterr().err.endswith("\"data.separator=';'\"\n")
    assert inspect.main([str(path), "data.target=y", "data.separator=';'"]) == 0
    assert inspect.main([str(path), "data.target=y", "data.drop=a,b"]) == 1
    assert "a list is data.drop=[a,b], a text with a comma \"data.drop='a,b'\"" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("target=y", "target=y: there is no key target (did you mean data.target?); allowed here: data,"),
        ("drop=[a]", "drop=[a]: there is no key drop (did you mean data.drop?)"),
        ("data.targt=y", "there is no key data.targt (did you mean data.target?); allowed in data: _target_,"),
        ("data.rows=3", "data.rows=3: there is no key data.rows (other choices of data have it); allowed in data:"),
        ("trainin.epochs=3", "there is no key trainin.epochs (did you mean training.epochs?); allowed here: data,"),
        ("promotion.rules.not_worse.mae=5%", "add this one with '+promotion.rules.not_worse.mae=5%', or give all at once as 'promotion.rules.not_worse={mae: 5%}'"),
        ("promotion.rules.thresholds.log_loss=0.4", "promotion.rules.thresholds has no log_loss yet, only val_auc, val_r2; add it with '+promotion.rules.thresholds.log_loss=0.4'"),
        ("promotion.rules.thresholds={val_auc: 0.7, log_loss: 0.4}", "add it with '+promotion.rules.thresholds.log_loss=...'"),
        ("promotion.rules.slices={planet: 0.1}", "promotion.rules.slices.planet: "),
        ("promotion.cluster=planet", "promotion.cluster: "),
        ("task=classification", "there is no such choice; allowed are binary, default, multiclass, regression; left out,"),
        ("model=mlpp", "model=mlpp: there is no such choice (did you mean mlp?); allowed are dcn,"),
        ("data.target=", "data.target='': allowed is the name of a column"),
        ("data.numeric=hour", "data.numeric=hour: allowed is a list of names of columns or null (did you mean data.numeric=[hour]?)"),
        ("data.decimal=x", "data.decimal=x: allowed is the mark , or . or the word comma or point or null"),
        ("data.separator=tabs", "allowed is one character, or the word tab, comma, semicolon, pipe or space, or null"),
    ],
)  # fmt: skip
def test_an_unknown_key_or_choice_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, told: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,0\n2,1\n")
    assert inspect.main([str(path), "data.target=y", word]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("word", "mark"), [("tab", "\t"), ("semicolon", ";"), ("pipe", "|"), ("\\t", "\t")])
def test_words_name_separators_and_decimal_marks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, mark: str
) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f"{row},5{mark}{row % 2}\n" for row in range(40))
    path.write_text(f"x{mark}y\n{rows}")
    given = [str(path), "data.target=y", f"data.separator={word}", "data.decimal=comma"]
    assert inspect.main(given) == 0
    assert f"read as: separator {mark!r}" in capsys.readouterr().out


def test_a_wrong_encoding_is_no_example_of_a_right_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,0\n2,1\n")
    inspect.main([str(path), "data.target=y", "data.encoding=utf-16"])
    assert (
        "leave data.encoding out to have it found, or name its encoding, for example data.encoding=utf-8 or data.encoding=latin-1\n"
        in capsys.readouterr().err
    )
