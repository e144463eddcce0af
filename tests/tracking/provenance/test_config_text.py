"""A configuration is written as YAML without its secrets: a mapping by its values, text line by line."""

import argparse
import builtins
import functools
import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tracking import ExperimentTracker, InvalidValueError
from tracking.provenance import config_text
from tracking.values.secrets import masked

SECRET_KEYS = ("password", "api_key", "credentials", "secret.x", "db.passwd", "AccessKey", "my secret")
KEYS = st.sampled_from(
    [*SECRET_KEYS, "hf_token", "lr", "tokens", "db", "key with space", "a:b", "1e-3", "no"]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12) | st.sampled_from(
    ["a: b", "{x", "it's", '"', "# no", "- x", "line\nline", "x " * 60, "${a}", "1e-3", "true", "~", "0x1"]
)
SCALAR = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(allow_nan=False) | TEXT


def configs(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)

    return st.dictionaries(KEYS, st.recursive(scalars, nested, max_leaves=8), max_size=4)


@given(configs(SCALAR))
@example({"passwords": ["a"], "lr": 1})
@example({"password": {"a": {"b": "x"}}})
def test_a_mapping_is_written_as_its_masked_values(config: dict[str, Any]) -> None:
    text = config_text(config)
    assert text is not None
    assert yaml.safe_load(text) == masked(config)


@given(configs(SCALAR | st.just("hunter2") | st.just("postgres://me:hunter2@host/db")), st.data())
def test_no_secret_of_a_mapping_is_written(config: dict[str, Any], data: st.DataObject) -> None:
    def planted(value: Any, *, is_secret: bool) -> Any:
        """Put hunter2 wherever it is a secret: below a key that looks secret, or in a URL."""
        if isinstance(value, dict):
            items = {
                key: planted(item, is_secret=is_secret or key in SECRET_KEYS) for key, item in value.items()
            }
            kind = data.draw(st.sampled_from([dict, lambda each: argparse.Namespace(**each), tuple]))
            return [{key: item} for key, item in items.items()] if kind is tuple else kind(items)
        if isinstance(value, list):
            return data.draw(st.sampled_from([list, tuple]))(
                planted(each, is_secret=is_secret) for each in value
            )
        if isinstance(value, str) and "://" not in value:
            return "hunter2" if is_secret else value.replace("hunter2", "")
        return value

    text = config_text({"config": planted(config, is_secret=False)})
    assert text is not None
    assert "hunter2" not in text


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize(
    "value",
    [
        "hunter2",
        ["hunter2"],
        {"user": "hunter2"},
        ({"a": "hunter2"},),
        {"hunter2"},
        Path("hunter2"),
        functools.partial(print, key="hunter2"),
        argparse.Namespace(word="hunter2"),
    ],
)
def test_a_secret_of_any_type_is_masked(key: str, value: Any) -> None:
    for config in (
        {key: value},
        {"db": [{key: value}]},
        {"db": ({key: value},)},
        {"f": argparse.Namespace(**{key: value})},
    ):
        text = config_text(config)
        assert text is not None
        assert "hunter2" not in text
        assert "'***'" in text


def test_urls_lose_their_passwords_in_values_and_in_keys() -> None:
    text = config_text({"a": ["postgres://me:hunter2@host/db"], "http://me:hunter2@host": 1})
    assert text == "a:\n- postgres://me:***@host/db\nhttp://me:***@host: 1\n"


def test_a_config_of_omegaconf_is_masked_as_its_values() -> None:
    config = {"db": {"user": "me", "password": "hunter2", "port": 5432}, "training": {"epochs": 3}}
    text = config_text(OmegaConf.create(config))
    assert OmegaConf.to_container(OmegaConf.create(text)) == masked(config)


@pytest.mark.parametrize(
    "values",
    [
        {"classes": {0: "no", 1: "yes"}},
        {"lr": "1e-3", "flag": "on", "name": "1_000", "size": "12", "rate": 1e-05},
        {"path": "${oc.env:HOME}/x", "missing": "???", "text": "é: #"},
    ],
)
def test_omegaconf_reads_the_file_back_as_it_was(values: dict[str, Any]) -> None:
    text = config_text(values)
    assert OmegaConf.to_container(OmegaConf.create(text)) == values
    assert text == OmegaConf.to_yaml(OmegaConf.create(values))


class Colour(Enum):
    RED = "red"


@dataclass
class Settings:
    colour: Colour = Colour.RED
    folder: Path = Path("data")
    sizes: tuple[int, ...] = (1, 2)


def test_values_that_yaml_has_no_form_for_are_written_as_they_are_as_parameters() -> None:
    assert config_text({"settings": Settings()}) == config_text({"settings": {"colour": "red", "folder": "data", "sizes": [1, 2]}})  # fmt: skip
    assert config_text({"name": "\udcff"}) == "name: \\udcff\n"


def test_without_yaml_a_mapping_is_written_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without_yaml(name: str, *arguments: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return load(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_yaml)
    text = config_text({"db": {"password": "hunter2", "user": "é"}, "sizes": (1, 2)})
    assert text is not None
    assert json.loads(text) == {"db": {"password": "***", "user": "é"}, "sizes": [1, 2]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password: hunter2\nlr: 0.1\n", "password: '***'\nlr: 0.1\n"),
        ("password: hunter2", "password: '***'"),
        ('"api_key": "hunter2"\n', "\"api_key\": '***'\n"),
        ("db:\n  password: hunter2\n  user: me\n", "db:\n  password: '***'\n  user: me\n"),
        ("dbs:\n- password: hunter2\n  user: me\n", "dbs:\n- password: '***'\n  user: me\n"),
        ("password: |\n  hunter\n\n  2\nlr: 1\n", "password: '***'\n\nlr: 1\n"),
        ("password: hunter\n  2\nlr: 1\n", "password: '***'\nlr: 1\n"),
        ("passwords:\n- hunter\n- hunter2\nlr: 1\n", "passwords: '***'\nlr: 1\n"),
        ("credentials:\n  user: me\n  pass: hunter2\n\nlr: 1\n", "credentials: '***'\n\nlr: 1\n"),
        ("# password: hunter2\nlr: 1\n", "# password: '***'\nlr: 1\n"),
        ("password: hunter2 # of the hunter\n", "password: '***'\n"),
        ("db: {user: me, password: hunter2}\n", "db: {user: me, password: '***'}\n"),
        ("- {credentials: {a: [1, x]}, b: 2}\n", "- {credentials: '***', b: 2}\n"),
        ("url: postgres://me:hunter2@host/db\n", "url: postgres://me:***@host/db\n"),
        ("password: 123\r\nlr: 1\r\n", "password: '***'\r\nlr: 1\r\n"),
        ("db:password: hunter2\n", "db:password: '***'\n"),
        ("- - password: hunter2\n", "- - password: '***'\n"),
    ],
)
def test_text_is_masked_by_lines_and_the_rest_stays(text: str, expected: str) -> None:
    assert config_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just text: with a colon?\n",
        "password: null\n",
        "password: ''\n",
        "use_password: true\n",
        "password_length: 12\n",
        "pad_token: <pad>\n",
        "tokens:\n- a\n- b\n",
        "tokens: [a, b]\n",
        "max_tokens: 5 # tokens\n",
        "a: {b: [1, {c: d}]}\n",
        '{"lr": 0.1}',
        "text: >\n  password\n  is a word\n",
        "list:\n- - - a\n",
        "unbalanced: {a: [\n",
        "? complex\n: key\n",
    ],
)
def test_a_text_without_secrets_is_kept_to_the_letter(text: str) -> None:
    assert config_text(text) == text


def test_json_text_is_masked_by_its_values_and_stays_json() -> None:
    text = json.dumps({"db": {"password": {"a": "hunter2"}, "user": "é"}}, indent=4)
    assert json.loads(config_text(text) or "") == {"db": {"password": "***", "user": "é"}}


@pytest.mark.parametrize("config", [3, ["lr: 1"], b"lr: 1"])
def test_a_config_that_is_no_mapping_and_no_text_starts_no_run(tmp_path: Path, config: Any) -> None:
    with pytest.raises(InvalidValueError, match="config must be a mapping or YAML text, not "):
        ExperimentTracker(tmp_path).start_run("x", config=config)
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_holds_itself_is_refused() -> None:
    config: dict[str, Any] = {}
    config["again"] = config
    with pytest.raises(InvalidValueError, match="holds itself"):
        config_text(config)
