"""Every command and snippet that README and the pages on sweeps and tracking show runs, in the order in which it is shown."""

import contextlib
import json
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import forked
import pytest

from tracking import ModelRegistry

ROOT = Path(__file__).resolve().parent.parent
PODIUM = ["-c", "import sys; from tracking.cli.app import podium; sys.exit(podium())"]
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def blocks(page: str, *languages: str) -> Iterator[tuple[str, str]]:
    for language, text in re.findall(
        r"^```(\w+)\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE
    ):
        if language in languages:
            yield language, text


def run(command: list[str], folder: Path) -> None:
    answer = forked.run(*command, kind="trainer", cwd=folder, timeout=280)
    assert answer.returncode == 0, f"{command}\n{answer.stdout}{answer.stderr}"


def sooner(words: list[str], *, draws: bool) -> list[str]:
    """Return the words of a command; a sweep of many click data gets a part of them, and its winner is drawn if `draws`."""
    if not is_sweep(words):
        return words
    is_long = words[0] == "podium" and not any(word.startswith("data.rows=") for word in words)
    fewer = ["data.rows=3000" if word == "data.rows=10000" else word for word in words]
    return [*fewer, *["data.rows=6000"] * is_long, *["hydra.sweeper.winner=null"] * (not draws)]


def is_sweep(words: list[str]) -> bool:
    """Tell whether a command is a sweep of the trainer."""
    return words[:3] == ["podium", "train", "-m"] or words[:4] == ["python", "-m", "trainer", "-m"]


def look_at(command: list[str], folder: Path) -> None:
    """Start a dashboard, see that it serves, and end it as its user would."""
    with forked.start(*command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
        try:
            assert address, process.communicate(timeout=60)
            with contextlib.closing(HTTPConnection("127.0.0.1", int(address[1]), timeout=60)) as connection:
                connection.request("GET", "/")
                assert connection.getresponse().status == 403  # it asks for the token
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            assert (process.returncode, err) == (0, ""), out
        finally:
            process.kill()


def follow(page: str, folder: Path) -> int:
    """Do what a page says in `folder`; return how many commands and snippets that were. Only its first sweep draws its winner."""
    done, draws = 0, True
    for language, text in blocks(page, "sh", "python", "yaml"):
        if language == "yaml":
            (folder / "config.yaml").write_text(text)
        elif "@hydra.main" in text:
            (folder / "app.py").write_text(text)
        elif language == "python":
            run(["-c", text], folder)
            done += 1
        else:
            for words in filter(None, (shlex.split(line, comments=True) for line in text.splitlines())):
                program, *arguments = sooner(words, draws=draws)
                draws = draws and not is_sweep(words)
                if program == "make":
                    assert arguments[0] in MAKE_TARGETS
                    continue
                if program == "pip":  # test_packaging.py installs
                    continue
                assert program in ("python", "podium"), words
                if "dashboard" in arguments and "--help" not in arguments:
                    look_at([*(PODIUM if program == "podium" else []), *arguments], folder)
                    done += 1
                    continue
                run([*(PODIUM if program == "podium" else []), *arguments], folder)
                done += 1
    return done


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("README.md", 8),
        ("docs/install.md", 7),
        ("docs/trainer.md", 10),
        ("docs/sweeps.md", 8),
        ("docs/search.md", 5),
        ("docs/tracking.md", 8),
        ("docs/alerts.md", 2),
        ("docs/dashboard.md", 3),
    ],
)
def test_a_page_can_be_followed_from_top_to_bottom(page: str, least: int, tmp_path: Path) -> None:
    assert follow(page, tmp_path) >= least


def without_numbers(text: str) -> str:
    """Return a reason as it is on every machine: the last digits of a training are those of its processor."""
    plain = re.sub(r"-?\d[\d.,]*(?<![.,])(e-\d+)?", "N", text)
    return re.sub(r"at least N better|at most N worse", "N better or worse", plain)


@pytest.mark.slow
@pytest.mark.needs_data
@pytest.mark.timeout(1500)
def test_the_guide_to_promotion_sees_a_promotion_a_refusal_and_rows_that_cannot_tell(
    tmp_path: Path, data_folder: Path
) -> None:
    (tmp_path / "census").symlink_to(data_folder)
    assert follow("docs/promotion.md", tmp_path) >= 18
    registry = ModelRegistry(tmp_path / "experiments")
    judged = [registry.verdict("adult_model", version) for version in (1, 2, 3, 4)]
    verdicts = [each for each in judged if each is not None]
    assert [each.promote for each in verdicts] == [True, True, False, True]
    assert [each.basis for each in verdicts] == ["first", "scores", "scores", "scores"]
    assert [(each.facts["look"] or {}).get("number") for each in verdicts] == [None, 1, 2, 4]
    rules = [rule["rule"] for rule in verdicts[3].facts["rules"]]
    assert (rules.count("not_worse"), rules.count("slice")) == (2, 2)
    few = json.loads((tmp_path / "experiments/sweeps/curves/promotion.json").read_text())
    assert not few["promoted"]
    assert "more rows would tell" in few["reasons"][-2]
    assert "looked at before" in few["reasons"][-1]

    told = {without_numbers(reason) for each in verdicts for reason in each.reasons}
    told |= {without_numbers(reason) for reason in few["reasons"]}
    shown = [text for _, text in blocks("docs/promotion.md", "text")]
    reasons = re.findall(r"^ *- (.*)$", "".join(shown), re.MULTILINE)
    assert len(reasons) > 15
    assert [each for each in reasons if without_numbers(each) not in told] == []


def test_the_guide_shows_what_its_first_commands_print(tmp_path: Path) -> None:
    """The table of a CSV file is made and looked at as the guide of the trainer says."""
    (make, *_), (look, *_) = (
        [text for _, text in blocks("docs/trainer.md", language)] for language in ("python", "sh")
    )
    run(["-c", make], tmp_path)
    answer = forked.run(*shlex.split(look)[1:], kind="trainer", cwd=tmp_path)
    shown = next(text for _, text in blocks("docs/trainer.md", "text"))
    assert answer.stdout.split() == shown.split()
