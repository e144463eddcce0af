"""Values with secret names are masked; settings with similar names are kept."""

import json
from typing import Any

import pytest

from tracking import ExperimentTracker
from tracking.store import amend
from tracking.store.store import Store
from tracking.values.secrets import is_secret, masked, masked_command, masked_urls


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "db.password",
        "dbPassword",
        "DB_PASSWD",
        "password_hash",
        "client_secret",
        "aws_secret_access_key",
        "AWS_ACCESS_KEY_ID",
        "api_key",
        "apiKey",
        "apikey",
        "OPENAI_API_KEY",
        "private-key",
        "ssh key passphrase",
        "hf_token",
        "HFToken",
        "token",
        "auth_token_path",
        "bearer",
        "credentials",
        "Authorization",
    ],
)
def test_a_name_with_a_strong_word_is_secret(name: str) -> None:
    assert is_secret(name, "hunter2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.1),
        ("key_dim", 64),
        ("monkey", "ape"),
        ("secretary", "problem"),
        ("keyword", "x"),
        ("tokenizer", "bert-base"),
        ("tokenizer_name", "bert-base"),
        ("max_tokens", 512),
        ("token", 50256),
        ("n_tokens", "512"),
        ("pad_token", "pad"),
        ("bos_token", "<s>"),
        ("decoder_start_token", "x"),
        ("chat_token", "<|im_start|>"),
        ("sep", "[SEP]"),
        ("password_length", 12),
        ("use_password", True),
        ("password", None),
        ("password", ""),
        ("secrets", {}),
        ("token", ["a", "b"]),
    ],
)
def test_a_setting_that_only_sounds_like_one_is_kept(name: str, value: Any) -> None:
    assert not is_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"), [("password", 123456), ("pin_secret", 0.5), ("credentials", {"a": 1})]
)
def test_a_number_or_a_group_is_secret_when_its_name_ends_in_a_strong_word(name: str, value: Any) -> None:
    assert is_secret(name, value)


def test_secrets_are_masked_at_any_depth() -> None:
    assert masked({"db": [{"user": "me", "password": "x"}], "credentials": {"a": 1}, "lr": 0.1}) == {
        "db": [{"user": "me", "password": "***"}],
        "credentials": "***",
        "lr": 0.1,
    }


def test_passwords_of_addresses_are_masked_and_their_users_are_not() -> None:
    assert masked_urls("see postgres://me:hunter2@host:5432/db and https://host:80/a@b") == (
        "see postgres://me:***@host:5432/db and https://host:80/a@b"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ghp_x@github.com/a", "https://***@github.com/a"),
        ("https://ghp_x:@github.com", "https://***:@github.com"),
        ("ssh://git@github.com postgres://me@host/db", "ssh://git@github.com postgres://me@host/db"),
        ("https://host/a@b and me@host", "https://host/a@b and me@host"),
    ],
)
def test_what_stands_alone_before_the_host_of_a_web_address_is_a_token(text: str, shown: str) -> None:
    assert masked_urls(text) == shown


def test_a_description_is_kept_without_the_passwords_of_addresses(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x", description="on postgres://me:hunter2@host")
    assert tracker.get_run(run_id)["description"] == "on postgres://me:***@host"
    amend.describe(Store(tracker.base_dir), run_id, "see https://hunter2@host", append=True)
    assert tracker.get_run(run_id)["description"] == "on postgres://me:***@host\nsee https://***@host"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["x.py", "--password=hunter2", "--lr=0.1"], ["x.py", "--password=***", "--lr=0.1"]),
        (["--api-key", "hunter2", "data"], ["--api-key", "***", "data"]),
        (["--token", "--verbose"], ["--token", "--verbose"]),
        (["--max-tokens", "5", "--password", "7"], ["--max-tokens", "5", "--password", "***"]),
        (["+db.password=a=b", "db.user=me"], ["+db.password=***", "db.user=me"]),
        (["db.password=null", "use_password=true"], ["db.password=null", "use_password=true"]),
        (["postgres://me:hunter2@host"], ["postgres://me:***@host"]),
        (["db={user: x, password: hunter2}"], ["db={user: x, password: ***}"]),
        (["db={user:x,password:hunter2,port:1}"], ["db={user:x,password:***,port:1}"]),
        (["+m={'token':'hunter2'}", "l=[{secret:hunter2},1]"], ["+m={'token':'***'}", "l=[{secret:***},1]"]),
        (["m={credentials:{a:[1,'}'],b:2},c:{password:hunter2}}"], ["m={credentials:***,c:{password:***}}"]),
        (["m={password:${oc.env:PW},lr:1}"], ["m={password:***,lr:1}"]),
        (["--db", '{"api key": "a\\"}b", "n": [1]}'], ["--db", '{"api key": "***", "n": [1]}']),
        (["a={note:it's,password:'hunter2'}"], ["a={note:it's,password:'***'}"]),
        (["a={note:'password: x',n:1}", "m={password:"], ["a={note:'password: x',n:1}", "m={password:"]),
        (
            ["m={max_tokens:5,pad_token:<pad>,password:null}"],
            ["m={max_tokens:5,pad_token:<pad>,password:null}"],
        ),
        (["m={url:postgres://me:hunter2@host}"], ["m={url:postgres://me:***@host}"]),
        (["-c", "print('api_key = 1')"], ["-c", "print('api_key = 1')"]),
    ],
)
def test_a_command_line_is_shown_without_its_secrets(command: list[str], shown: list[str]) -> None:
    assert masked_command(command) == shown


def test_parameters_and_tags_are_kept_without_their_secrets(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x", tags={"api_key": "hunter2", "team": "ml"})
    tracker.log_params(run_id, {"db": {"password": "hunter2"}, "url": "https://me:hunter2@host", "lr": 0.1})
    tracker.open_run(run_id).set_tags({"hf_token": "hunter2"})
    run = tracker.get_run(run_id)
    assert run["params"] == {"db": {"password": "***"}, "url": "https://me:***@host", "lr": 0.1}
    assert run["tags"] == {"api_key": "***", "team": "ml", "hf_token": "***"}
    assert "hunter2" not in json.dumps(run)
