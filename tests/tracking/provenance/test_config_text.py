"""A configuration is kept as it was written, but for its secrets."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tracking.provenance.config_text import masked_yaml
from tracking.values.secrets import masked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password: hunter2\nlr: 0.1\n", "password: '***'\nlr: 0.1\n"),
        ("password: hunter2", "password: '***'\n"),
        ('"api_key": "hunter2"\n', "\"api_key\": '***'\n"),
        ("db:\n  password: hunter2\n  user: me\n", "db:\n  password: '***'\n  user: me\n"),
        ("dbs:\n- password: hunter2\n  user: me\n", "dbs:\n- password: '***'\n  user: me\n"),
        ("password: |\n  hunter\n\n  2\nlr: 1\n", "password: '***'\nlr: 1\n"),
        ("password: hunter\n  2\nlr: 1\n", "password: '***'\nlr: 1\n"),
        ("passwords:\n- hunter\n- hunter2\nlr: 1\n", "passwords: '***'\nlr: 1\n"),
        ("credentials:\n  user: me\n  pass: hunter2\n\nlr: 1\n", "credentials: '***'\n\nlr: 1\n"),
        ("# password: hunter2\nlr: 1\n", "# password: '***'\nlr: 1\n"),
        ("password: hunter2 # of the hunter\n", "password: '***'\n"),
        ("db: {user: me, password: hunter2}\n", "db: {user: me, password: '***'}\n"),
        ("db: {user: me,\n  password: hunter2}\nlr: 1\n", "db: {user: me,\n  password: '***'}\nlr: 1\n"),
        ("- {credentials: {a: [1, x]}, b: 2}\n", "- {credentials: '***', b: 2}\n"),
        ("credentials: {a: [1, x],\n b: 2}\nlr: 1\n", "credentials: '***'\nlr: 1\n"),
        ("url: postgres://me:hunter2@host/db\n", "url: postgres://me:***@host/db\n"),
        ("password: 123\r\nlr: 1\r\n", "password: '***'\nlr: 1\r\n"),
    ],
)
def test_a_secret_is_masked_and_the_rest_stays(text: str, expected: str) -> None:
    assert masked_yaml(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just text: with a colon?\n",
        "password:\nlr: 1\n",
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
    assert masked_yaml(text) == text


def test_json_is_masked_too() -> None:
    text = json.dumps({"db": {"password": {"a": "hunter2"}, "user": "é"}}, indent=4)
    assert json.loads(masked_yaml(text)) == {"db": {"password": "***", "user": "é"}}


KEYS = st.sampled_from(
    [
        "lr",
        "password",
        "api_key",
        "hf_token",
        "tokens",
        "db",
        "credentials",
        "key with space",
        "a:b",
        "secret.x",
    ]
)
TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12) | st.sampled_from(
    [
        "hunter2",
        "a: b",
        "{x",
        "it's",
        '"',
        "# no",
        "- x",
        "line\nline",
        "x " * 60,
        "postgres://me:pw@host/db",
        "${a}",
    ]
)
CONFIG = st.dictionaries(
    KEYS,
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 99) | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(CONFIG, st.sampled_from([None, False, True]), st.integers(2, 4))
@example({"passwords": ["a"], "lr": 1}, False, 2)
def test_what_is_left_of_a_config_is_what_is_left_of_its_values(
    config: dict[str, Any], flow: bool | None, indent: int
) -> None:
    text = yaml.safe_dump(config, default_flow_style=flow, indent=indent)
    assert yaml.safe_load(masked_yaml(text)) == masked(config)


def test_a_config_of_omegaconf_is_masked_as_its_values() -> None:
    config = {"db": {"user": "me", "password": "hunter2", "port": 5432}, "training": {"epochs": 3}}
    text = masked_yaml(OmegaConf.to_yaml(OmegaConf.create(config)))
    assert OmegaConf.to_container(OmegaConf.create(text)) == masked(config)
