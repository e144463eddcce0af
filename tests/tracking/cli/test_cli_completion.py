"""What a shell is told when the tab key is pressed."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Say

from tracking import ExperimentTracker, ModelRegistry
from tracking.cli.commands import COMMANDS
from tracking.cli.completion.shells import SCRIPTS, Shell

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["ctr"], {"ctr_model"}),
        (["sea"], {"search"}),
        (["show", ""], {"run_001", "run_002", "run_003", "run_004"}),
        (["diff", "run_001", "run_00"], {"run_001", "run_002", "run_003", "run_004"}),
        (["diff", "run_001", "run_002", ""], set()),
        (["tag", "run_001", "run_004"], {"run_004"}),
        (["compare", ""], {"ctr_model"}),
        (["compare", "ctr_model", "--metric", "val"], {"val_auc", "val_loss"}),
        (["compare", "--metric", "val_auc", ""], {"ctr_model"}),
        (["ctr_model", "plot", "test"], {"test_auc"}),
        (["best", "ctr_model", "--mode", ""], {"max", "min"}),
        (["best", "ctr_model", "--a"], {"--at"}),
        (["search", "--sort", "-val"], {"-val_auc", "-val_loss"}),
        (["search", "--columns", "status,lear"], {"status,learning_rate"}),
        (["search", "--experiment", ""], {"ctr_model"}),
        (["champion", ""], {"ctr"}),
        (["--v"], {"--version"}),
        (["show", "--store", ""], set()),
        (["compare", "ctr_model", "--metric=val"], {"--metric=val_auc", "--metric=val_loss"}),
        (["search", "--sort=-val"], {"--sort=-val_auc", "--sort=-val_loss"}),
        (["plot", "ctr_model", "val_auc", "--kind", ""], {"bands", "curves", "parallel", "scatter"}),
        (["plot", "--kind=p"], {"--kind=parallel"}),
        (["import", "--from", ""], {"podium", "mlflow", "tensorboard", "wandb", "optuna", "hydra"}),
        (["import", "runs", "--from=ten"], {"--from=tensorboard"}),
        (["export", "--format", ""], {"csv", "json", "parquet", "mlflow", "tensorboard"}),
        (["export", "--to", ""], {"tensorboard"}),
        (["rollback", "ctr", "--to", ""], {"ctr"}),
        (["completion", "--wrong=x"], set()),
        (["show", "--store", "/nowhere", "run"], set()),
    ],
)
def test_the_word_before_the_cursor_is_completed(
    models: ModelRegistry, say: Say, words: list[str], found: set[str]
) -> None:
    code, out, err = say("--complete", *words)
    assert (code, err) == (0, "")
    assert set(out.split()) == found


@pytest.mark.usefixtures("installed", "store")
def test_nothing_yet_is_completed_with_commands_groups_and_experiments(say: Say) -> None:
    words = {
        *COMMANDS,
        "dashboard",
        "draw",
        "export-model",
        "inspect",
        "predict",
        "sweeps",
        "train",
        "ctr_model",
    }
    assert set(say("--complete", "")[1].split()) == words
    assert set(say("--complete")[1].split()) == words


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["lea"], {"leaderboard"}),
        (["show", "la"], {"latest"}),
        (["show", "b"], {"big-one"}),
        (["logs", "big-one", ""], {"0", "1"}),
        (["logs", "gone", ""], set()),
        (["resume", "--fa"], {"--failed"}),
        (["--v"], {"--version"}),
    ],
)
@pytest.mark.usefixtures("installed")
def test_what_follows_sweeps_is_completed_by_its_own_package(
    store: Path, say: Say, words: list[str], found: set[str]
) -> None:
    for job in range(2):
        (store / "sweeps" / "big-one" / "jobs" / str(job)).mkdir(parents=True)
    (store / "sweeps" / "big-one" / "plan.json").write_text("{}")
    code, out, err = say("--complete", "sweeps", *words)
    assert (code, err) == (0, "")
    assert set(out.split()) == found


@pytest.fixture
def shell_path(tmp_path: Path) -> str:
    """A PATH with a command `podium` that answers `--complete` with its own arguments, or as the first of them says."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "podium"
    program.write_text(
        "#!/bin/sh\nshift\ncase $1 in\n"
        "  train) echo model=mlp; echo model=logistic;;\n  conf) echo model=;;\n"
        '  none) ;;\n  *) for each; do echo "($each)"; done;;\nesac\n'
    )
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def asked(shell: str, script: str, path: str, before: str = "") -> list[str]:
    """Run a script in a shell after the completion script of that shell; the lines that it prints."""
    words = [shell, "-f", "-c"] if shell == "zsh" else [shell, "-c"]
    done = subprocess.run(
        [*words, f"{before}\n{SCRIPTS[Shell(shell)]}\n{script}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PATH": path, "HOME": "/nonexistent"},
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


BASH = """
    ask() {
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE=$LINE; COMPREPLY=()
        eval "$(complete -p "$1" | sed 's/.* -F \\([^ ]*\\) .*/\\1/')"; echo "${COMPREPLY[*]}"
    }
"""


def test_bash_asks_podium_and_joins_what_it_splits_itself(shell_path: str) -> None:
    script = f"""{BASH}
        LINE='podium show "a b" --sort=-x'; ask podium show '"a b"' --sort = -x
        LINE='podium train model='; ask podium train model =
        LINE='podium train model=l'; ask podium train model = l
        LINE='podium conf m'; ask podium conf m
        LINE='podium none '; ask podium none ''
        ask podium show run
    """
    assert asked("bash", script, shell_path) == [
        r"\(show\) \(a\ b\) \(--sort=-x\)",  # bash replaces the word after the last =
        "mlp logistic",
        "mlp logistic",
        "model=",
        "",
        r"\(show\) \(run\)",
    ]


def test_bash_leaves_other_calls_of_python_to_the_completion_before(store: Path) -> None:
    script = """
        of_hydra() { COMPREPLY=(from_hydra); }
        complete -o nospace -F of_hydra python
        eval "$("$0" -m tracking completion)"
        eval "$("$0" -m tracking completion)"
        ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _podium_tracking; echo "${COMPREPLY[*]}"; }
        ask "$0" -m tracking show run_00
        ask "$0" -m tracking compare ctr_model --metric test
        ask "$0" -m sweeps lea
        ask "$0" app.py m
        _podium_before=
        ask "$0" -m http.server run
        ask "$0" -m tracking
    """
    done = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "run_001 run_002 run_003 run_004",
        "test_auc",
        "leaderboard",
        "from_hydra",
        "",
        "",
    ]


@pytest.fixture
def odd_names(tmp_path: Path) -> Path:
    """A folder whose store has experiments that a shell must quote."""
    tracker = ExperimentTracker(tmp_path / "a b" / "experiments")
    for name in ("my exp", "quo'te", "$HOME", "plain", "größe"):
        tracker.finish_run(tracker.create_run(name))
    with tracker.start_run("plain") as run:
        run.log({"val_auc": 0.8})
        (run.artifacts_dir / "model_best.pt").write_bytes(b"weights")
    registry = ModelRegistry(tmp_path / "a b" / "experiments")
    registry.register("ctr", run.run_id, objective={"metric": "val_auc", "mode": "max", "value": 0.8})
    registry.promote("ctr", 1, reason="the first")
    return tmp_path / "a b"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("podium compare my", "podium compare my exp "),
        (r"podium compare my\ e", "podium compare my exp "),
        ('podium compare "my e', "podium compare my exp "),
        ("podium compare quo", "podium compare quo'te "),
        (r"podium compare \$", "podium compare $HOME "),
        ("podium compare gr", "podium compare größe "),
        ("podium compare p", "podium compare plain "),
        ("podium compare 'p", "podium compare plain "),
        (
            "podium compare --store '../a b/experiments' pl",
            "podium compare --store ../a b/experiments plain ",
        ),
        ("podium compare plain --sort=created_", "podium compare plain --sort=created_at "),
        ("podium verdict ctr@ch", "podium verdict ctr@champion "),
        ("podium verdict ctr@1", "podium verdict ctr@1 "),
        ("python app.py lr", "python app.py lr="),  # as Hydra completes it, without a space
    ],
)
def test_a_real_bash_inserts_names_that_it_reads_back(odd_names: Path, typed: str, completed: str) -> None:
    (odd_names / "hydra.sh").write_text(
        "of_hydra() { COMPREPLY=(lr=); }; complete -o nospace -o default -F of_hydra python"
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=odd_names,
        env={"PATH": path, "TERM": "dumb", "PS1": "", "LC_ALL": "C.UTF-8", "HOME": str(odd_names)},
        start_new_session=True,
    )
    os.close(theirs)

    def read_until(mark: str) -> str:
        seen = ""
        while mark not in seen:
            seen += os.read(ours, 4096).decode(errors="replace")
        return seen

    try:
        load = '. ./hydra.sh; eval "$(python -m tracking completion bash)"; stty -echo; echo "REA""DY"\n'
        os.write(ours, load.encode())
        read_until("READY")
        # The tab completes; then the whole line becomes the argument of printf.
        end = '"' if typed.count('"') % 2 and not completed.endswith(" ") else ""
        os.write(ours, f"{typed}\t\x01printf '<%s' \x05{end}; echo 'EN''D'\r".encode())
        words = read_until("END").rpartition("<" + completed.split()[0])[2].partition("END")[0]
    finally:
        os.close(ours)
        process.kill()
        process.wait()
    shown = (completed.split()[0] + words).replace("<", " ")
    assert shown == completed.rstrip()


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_asks_podium(shell_path: str) -> None:
    script = """
        compadd() { print -r -- compadd "$@" }
        _files() { print files }
        ask() { words=("$@"); CURRENT=$#; _podium }
        ask podium show 'a\\ b' ''
        ask podium conf m
        ask podium none ''
    """
    assert asked("zsh", script, shell_path, "compdef() { }") == [
        "compadd -- (show) (a b) ()",
        "compadd -S  --",
        "compadd --",
        "compadd -S  -- model=",
        "files",
    ]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_asks_podium(shell_path: str) -> None:
    script = "complete -C 'podium show ru'; complete -C 'podium train model=l'"
    assert asked("fish", script, shell_path)[-1:] == ["model=logistic"]


def test_the_script_of_a_shell_is_asked_for_by_its_name(say: Say) -> None:
    assert say("completion") == say("completion", "bash")
    for shell in Shell:
        assert say("completion", shell)[1].strip() == SCRIPTS[shell].strip()
        assert json.loads(say("completion", shell, "--json")[1]) == {shell.value: SCRIPTS[shell]}
    code, _, err = say("completion", "tcsh")
    assert code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in err
