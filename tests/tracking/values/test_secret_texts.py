"""Secrets in texts are masked wherever they stand; texts that only look alike are kept."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker
from tracking.provenance.config_text import config_text
from tracking.store import amend
from tracking.store.store import Store
from tracking.values.secrets import MASK, masked, masked_command, masked_text


def test_passwords_of_addresses_are_masked_and_their_users_are_not() -> None:
    assert masked_text("see postgres://me:hunter2@host:5432/db and https://host:80/a@b") == (
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
    assert masked_text(text) == shown


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
        (["a={note:'password: x',n:1}", "m={password:"], ["a={note:'password: ***',n:1}", "m={password:"]),
        (
            ["m={max_tokens:5,pad_token:<pad>,password:null}"],
            ["m={max_tokens:5,pad_token:<pad>,password:null}"],
        ),
        (["m={url:postgres://me:hunter2@host}"], ["m={url:postgres://me:***@host}"]),
        (["-c", "print('api_key = 1')"], ["-c", "print('api_key = ***')"]),
        (["-c", "connect(user='me', password='hunter2')"], ["-c", "connect(user='me', password='***')"]),
        (["--notify", "https://h/x", "sweep.notify.to=[a,b]"], ["--notify", "***", "sweep.notify.to=***"]),
        (["notify={to:[a],on:[b]}", "notify.on=[b]"], ["notify=***", "notify.on=[b]"]),
        (["--url", "https://h/x?sig=hunter2"], ["--url", "https://h/x?sig=***"]),
    ],
)
def test_a_command_line_is_shown_without_its_secrets(command: list[str], shown: list[str]) -> None:
    assert masked_command(command) == shown


SECRETS = {
    "password of an address": "postgres://me:{}@host/db",
    "password with a sign": "postgres://me:p@{}@host/db",
    "address without a user": "redis://:{}@host",
    "token before a host": "https://{}@github.com/a",
    "query": "https://host/x?user=me&password={}",
    "signature": "https://acc.blob.core.windows.net/x?sv=1&sig={}",
    "path with a query": "Max retries exceeded with url: /api?token={}",
    "fragment": "https://host/#access_token={}",
    "connection string": "host=db user=me password={} dbname=x",
    "ODBC": "Server=db;Uid=me;Pwd={};",
    "call": "connect(user='me', password='{}')",
    "dict": "{{'user': 'me', 'api_key': '{}'}}",
    "JSON in JSON": '{{"body": "{{\\"password\\": \\"{}\\"}}"}}',
    "command": "Command '['x', '--password', '{}']' returned 1",
    "option": "ran x --api-key {} --lr 1",
    "basic header": "Authorization: Basic {}",
    "bearer header": "{{'Authorization': 'Bearer {}'}}",
    "sentence": "the password: {}",
}
ALONE = {
    "web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "GitHub": "ghp_" + "a1" * 18,
    "Hugging Face": "hf_" + "aB" * 17,
    "OpenAI": "sk-proj-" + "a1" * 20,
    "AWS": "AKIAABCDEFGHIJKLMNOP",
    "private key": "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----",
}
LEAK = "hunter2hunter2"


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_masked_wherever_it_stands_in_a_text(text: str) -> None:
    shown = masked_text(f"before {text.format(LEAK)} after")
    assert LEAK not in shown
    assert MASK in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert masked_text(shown) == shown


@pytest.mark.parametrize("secret", ALONE.values(), ids=ALONE)
def test_a_key_of_a_known_form_is_masked_alone(secret: str) -> None:
    assert masked_text(f"before {secret} after") == f"before {MASK} after"
    assert masked({"note": secret}) == {"note": MASK}
    assert masked_command(["x", secret]) == ["x", MASK]


@pytest.mark.parametrize(
    "text",
    [
        "bearer of bad news",
        "token = tokenizer.next()",
        "if password == stored: pass",
        "the password length is 3",
        "max_tokens=512, pad_token=<pad>",
        "https://host:80/a@b?page=2&max_tokens=5",
        "commit 0728d9f2b1e4c8a7d6f5e4d3c2b1a09876543210",
        "loss_per_token=0.5 sk-learn hf_ xox",
        "see secrets.py:12, in load_secrets",
        "sha256:" + "ab12" * 16,
    ],
)
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert masked_text(text) == text


@pytest.mark.parametrize(
    "piece",
    ["a", "a=", "password=", "://", "a://", "eyJ", "?a=", "-----BEGIN PRIVATE KEY-----", "--a ", "bearer ", "'\"=", "a:b@",
     " ", "http://a:", "authorization: ", "\\"],
)  # fmt: skip
def test_masking_looks_at_each_part_of_a_long_text_a_few_times(piece: str) -> None:
    steps = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        masked_text(piece * 20_000)
    finally:
        sys.setprofile(None)
    assert steps < 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "WARNING:root:password={}",  # how logging writes it
        "INFO:app.db: DB_PASSWORD={}",
        "cmd='WANDB_API_KEY={} python train.py'",
        "x=WANDB_API_KEY={}",
        "KeyError: 'password={}'",
        "PGPASSWORD={} psql",
        "clientsecret: {}",
        '{{"password": "a\\"{}"}}',
        "password => {}",
        "\x1b[31mapi_key={}\x1b[0m",
        "\x1b[36mpassword\x1b[0m=\x1b[35m{}\x1b[0m",
        "postgres://me:a/{}@host/db",
        "postgres://me:a#{}@host/db",
        "https://hooks.slack.com/services/T0/B0/{}",
        "https://api.telegram.org/bot1:{}/sendMessage",
    ],
)
def test_a_secret_is_masked_inside_of_what_is_assigned_or_logged(text: str) -> None:
    shown = masked_text(text.format(LEAK))
    assert LEAK not in shown
    assert masked_text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://host:80/a@b",
        "file://C:/a@b",
        "http://[::1]:80/a@b",
        "a:b:c=1",
        "root:max_tokens=5",
        "x='y=z'",
    ],
)
def test_texts_that_only_look_alike_are_kept(text: str) -> None:
    assert masked_text(text) == text


def test_a_secret_is_masked_in_a_list_of_arguments_and_beside_its_name() -> None:
    values = {
        "command": ["--password", "hunter2", "-v"],
        "env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "lr", "value": "1"}],
    }
    hidden = {
        "command": ["--password", MASK, "-v"],
        "env": [{"name": "DB_PASSWORD", "value": MASK}, {"name": "lr", "value": "1"}],
    }
    assert masked(values) == hidden
    text = config_text(values)
    assert text is not None
    assert "hunter2" not in text
    assert text.count(MASK) == 2


def test_a_private_key_that_is_printed_line_by_line_is_not_copied(
    tracker: ExperimentTracker, capsys: pytest.CaptureFixture[str]
) -> None:
    with tracker.start_run("x", capture_code=False) as run:
        for line in (
            "before",
            "-----BEGIN RSA PRIVATE KEY-----",
            "TUlI",
            "abc=",
            "-----END RSA PRIVATE KEY-----",
            "after",
        ):
            sys.stdout.write(f"{line}\n")
    assert (run.run_dir / "stdout.log").read_text() == f"before\n{MASK}\nafter\n"
    assert "TUlI" in capsys.readouterr().out


def test_no_file_of_a_run_holds_a_secret_that_was_given_to_it(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "; ".join(text.format(LEAK) for text in SECRETS.values())
    monkeypatch.setenv("SLURM_JWT", LEAK)
    monkeypatch.setenv("HYDRA_URL", f"https://{LEAK}@host")
    monkeypatch.setattr(sys, "argv", ["train.py", f"--password={LEAK}", told])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-c", told, "--api-key", LEAK])

    def train(password: str) -> None:
        raise ConnectionError(f"cannot reach {told} {password}")

    with (  # noqa: PT012 - the run ends with the error
        pytest.raises(ConnectionError),
        tracker.start_run(
            "x",
            tags={"note": told, "api_key": LEAK},
            description=told,
            params={"dsn": told, "nested": [{"password": LEAK}]},
            config={"dsn": told, "secret": {"a": LEAK}},
            overrides=[f"db.password={LEAK}", f"db.url=https://me:{LEAK}@host"],
            data={"source": told, "token": LEAK},
            seeds={"password": LEAK},
        ) as run,
    ):
        sys.stdout.write(f"{told}\n")
        logging.getLogger("app").warning("see %s", told)
        run.describe(told, append=True)
        run.set_tags({"later": told})
        train("password=" + LEAK)
    amend.describe(Store(tracker.base_dir), run.run_id, told, append=True)
    for path in tracker.base_dir.rglob("*"):
        if path.is_file() and path.name != "git.patch":
            assert LEAK not in path.read_text(errors="replace"), path
    assert tracker.record(run.run_id).error.startswith("ConnectionError: cannot reach postgres://me:***@host")
    assert Path(run.run_dir, "stdout.log").read_text().startswith("postgres://me:***@host/db; ")
