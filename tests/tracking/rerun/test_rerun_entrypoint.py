"""The program of a run is found in what its process remembers of itself."""

from typing import Any

import pytest

from tracking.errors import RerunError
from tracking.rerun.entrypoint import Program, program_of, with_secrets, with_seed


def env(command: list[str], argv: list[str], **more: Any) -> dict[str, Any]:
    return {"command": command, "argv": argv, "cwd": "/home/me/project", **more}


@pytest.mark.parametrize(
    ("command", "argv", "expected"),
    [
        (
            ["python", "train.py", "--lr", "1"],
            ["train.py", "--lr", "1"],
            Program(script="train.py", arguments=("--lr", "1")),
        ),
        (
            ["python", "-u", "-W", "error", "-m", "pkg.train", "a=1"],
            ["/home/me/project/pkg/train.py", "a=1"],
            Program(("-u", "-W", "error"), module="pkg.train", arguments=("a=1",)),
        ),
        (
            ["python", "-Xutf8", "-c", "main()", "x"],
            ["-c", "x"],
            Program(("-Xutf8",), code="main()", arguments=("x",)),
        ),
        (["python", "-X", "utf8", "s.py"], ["s.py"], Program(("-X", "utf8"), script="s.py")),
    ],
)
def test_a_command_is_started_as_it_was(command: list[str], argv: list[str], expected: Program) -> None:
    found = program_of(env(command, argv), ["ignored=1"], is_job=False)
    assert found == expected
    assert found.command("python") == command


@pytest.mark.parametrize(
    ("argv", "more", "expected"),
    [
        (["/home/me/project/trainer/__main__.py", "-m"], {}, Program(module="trainer")),
        (["/opt/trainer/__main__.py", "-m"], {}, Program(module="trainer")),
        (
            ["/home/me/project/trainer/__main__.py"],
            {"module": "trainer.__main__"},
            Program(module="trainer"),
        ),
        (["app.py", "-m"], {"module": None}, Program(script="app.py")),
        (["pkg/app.py"], {"module": "pkg.app"}, Program(module="pkg.app")),
        (["app.py"], {"module": "joblib.externals.loky.backend.popen_loky_posix"}, Program(script="app.py")),
        (["/home/me/project/trainer/__main__.py"], {"module": "a.worker"}, Program(module="trainer")),
    ],
)
def test_a_job_is_the_program_of_its_sweep(argv: list[str], more: dict[str, Any], expected: Program) -> None:
    command = ["python", "-B", "-c", "serve()"]
    found = program_of(env(command, argv, **more), ["a=1"], is_job=True)
    assert (found.script, found.module) == (expected.script, expected.module)
    assert found.arguments == ("a=1", "hydra.mode=RUN")


def test_a_job_has_its_own_overrides_and_what_else_was_said_to_hydra() -> None:
    words = ["--config-name", "other", "--multirun", "lr=1,2", "-cd=more", "hydra.job.chdir=true"]
    words += ["hydra.sweeper.mode=tpe", "hydra/launcher=basic", "+hydra/sweeper=podium", "hydra.sweep.dir=x"]
    found = program_of(env(["python", "app.py", *words], ["app.py", *words]), ["lr=2"], is_job=True)
    kept = ("--config-name", "other", "-cd=more", "hydra.job.chdir=true")
    assert found.arguments == (*kept, "lr=2", "hydra.mode=RUN")


@pytest.mark.parametrize(
    ("command", "argv", "said"),
    [
        ([], [], "does not know its command"),
        (["python"], [""], "in no file"),
        (["python", "-"], ["-"], "in no file"),
        (["python", "-m", "ipykernel_launcher", "-f", "x"], ["/site/ipykernel_launcher.py"], "notebook"),
    ],
)
def test_a_program_in_no_file_is_refused(command: list[str], argv: list[str], said: str) -> None:
    with pytest.raises(RerunError, match=said):
        program_of(env(command, argv), [], is_job=False)


def test_one_of_several_processes_is_refused() -> None:
    told = env(["python", "train.py"], ["train.py"], env={"WORLD_SIZE": "4"})
    with pytest.raises(RerunError, match="one of 4 processes"):
        program_of(told, [], is_job=False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--seed", "1", "x"], ("--seed", "9", "x")),
        (["--seed=1"], ("--seed=9",)),
        (["seed=1", "data_seed=1"], ("seed=9", "data_seed=1")),
        (["--random-seed", "-4"], ("--random-seed", "9")),
        (["--seed", "auto"], None),
        (["a.seed=1"], None),
        ([], None),
    ],
)
def test_a_seed_of_the_command_line_is_replaced(words: list[str], expected: tuple[str, ...] | None) -> None:
    assert with_seed(words, 9) == expected


def test_secrets_are_taken_from_variables_and_missing_ones_are_all_named() -> None:
    words = ["db.password=***", "--api-key", "***", "--token=***", "plain", "url=http://***@host"]
    with pytest.raises(RerunError) as caught:
        with_secrets(words, {"DB_PASSWORD": "a"})
    text = str(caught.value)
    assert "API_KEY" in text
    assert "TOKEN" in text
    assert "'url=http://***@host'" in text
    assert "DB_PASSWORD" not in text
    given = with_secrets(words[:4], {"DB_PASSWORD": "a", "API_KEY": "b", "TOKEN": "c"})
    assert given == ("db.password=a", "--api-key", "b", "--token=c")
