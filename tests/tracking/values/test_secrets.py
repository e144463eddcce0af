"""Values with secret names are masked; settings with similar names are kept."""

import json
from typing import Any

import pytest

from tracking import ExperimentTracker
from tracking.store import amend
from tracking.store.store import Store
from tracking.values.secrets import MASK, is_secret, masked, masked_command, masked_text


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


def test_addresses_of_alerts_are_secret_whole() -> None:
    config = {
        "sweep": {"notify": {"to": ["https://h/x"], "on": ["best"]}},
        "notify": True,
        "notify_users": ["a"],
    }
    assert masked(config) == {"sweep": {"notify": "***"}, "notify": True, "notify_users": ["a"]}
    assert masked({"notify": {"to": [], "on": ["best"]}}) == {"notify": {"to": [], "on": ["best"]}}
    assert masked({"sweep.notify.to": ["x"], "sweep.notify.on": ["best"]}) == {
        "sweep.notify.to": "***",
        "sweep.notify.on": ["best"],
    }
    assert masked_text("set sweep.notify.to=command:x") == "set sweep.notify.to=***"


def test_a_description_is_kept_without_the_passwords_of_addresses(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x", description="on postgres://me:hunter2@host")
    assert tracker.get_run(run_id)["description"] == "on postgres://me:***@host"
    amend.describe(Store(tracker.base_dir), run_id, "see https://hunter2@host", append=True)
    assert tracker.get_run(run_id)["description"] == "on postgres://me:***@host\nsee https://***@host"


def test_parameters_and_tags_are_kept_without_their_secrets(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x", tags={"api_key": "hunter2", "team": "ml"})
    tracker.log_params(run_id, {"db": {"password": "hunter2"}, "url": "https://me:hunter2@host", "lr": 0.1})
    tracker.open_run(run_id).set_tags({"hf_token": "hunter2"})
    run = tracker.get_run(run_id)
    assert run["params"] == {"db": {"password": "***"}, "url": "https://me:***@host", "lr": 0.1}
    assert run["tags"] == {"api_key": "***", "team": "ml", "hf_token": "***"}
    assert "hunter2" not in json.dumps(run)


LEAK = "hunter2hunter2"


@pytest.mark.parametrize(
    "name", ["loss_per_token", "initializer_token", "placeholder_token", "target_token", "low_pass"]
)
def test_a_setting_with_a_word_of_settings_is_kept(name: str) -> None:
    assert not is_secret(name, "mean")


@pytest.mark.parametrize("name", ["SLURM_JWT", "session_cookie", "SMTP_PASS", "signing_key", "access_token"])
def test_names_of_credentials_are_secret(name: str) -> None:
    assert is_secret(name, "abc")


@pytest.mark.parametrize(
    ("variable", "name", "expected"),
    [
        ("", "my_token", True),
        ("off", "password", False),
        ("-my_token", "my_token", False),
        ("-my_token", "model.My_Token", False),
        ("-my_token", "other_token", True),
        ("-*_token,+dataset", "other_token", False),
        ("-*_token,+dataset", "dataset", True),
        (" customer* , -password", "customer_id", True),
        (" customer* , -password", "password", False),
    ],
)
def test_masking_can_be_switched_for_single_names(
    monkeypatch: pytest.MonkeyPatch, variable: str, name: str, *, expected: bool
) -> None:
    monkeypatch.setenv("PODIUM_MASK", variable)
    assert is_secret(name, "abc") is expected
    assert (masked({"a": [{name: "abc"}]}) == {"a": [{name: MASK}]}) is expected
    assert (masked_command([f"--{name}=abc"]) == [f"--{name}={MASK}"]) is expected
    assert (masked_text(f"{name}=abc12345") == f"{name}={MASK}") is expected
