"""Whole sweeps with alerts: they arrive, cost nothing, and leave no address on disk."""

import os
from collections.abc import Callable
from pathlib import Path

import forked
import pytest
from quadratic import Sweep
from receivers import Hooks

APP = """
import hydra
from omegaconf import DictConfig

from tracking import ExperimentTracker


@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg: DictConfig) -> None:
    with ExperimentTracker("experiments").start_run("mine", params={"x": cfg.x}, config=cfg) as run:
        run.log({"val_loss": (cfg.x - 2) ** 2})
        weights = run.artifacts_dir / "weights.json"
        weights.write_text("[]")


if __name__ == "__main__":
    main()
"""
CONFIG = """
defaults:
  - override hydra/sweeper: podium
  - override hydra/launcher: LAUNCHER
  - _self_

x: 0
alarm:
  notify:
    to: ["HOOK/in-file/S3CRET", "${oc.env:HOOK}"]
    on: [promoted, refused, finished, failed, best]
  objective: {metric: val_loss}
  promotion: {promote: true, model_name: mine, files: [weights.json]}
hydra:
  sweeper:
    settings_from: alarm
"""
WRITTEN = ("app.py", "config.yaml")


def run(folder: Path, *arguments: str, **variables: str) -> Sweep:
    answer = forked.run(*arguments, cwd=folder, env={**os.environ, **variables})
    return Sweep(answer.returncode, answer.stdout, answer.stderr, folder)


def files_with(text: str, folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in WRITTEN]
    assert len(files) > 10
    return [path for path in files if text.encode() in path.read_bytes()]


@pytest.fixture
def app(tmp_path: Path, hooks: Hooks) -> Callable[[str], None]:
    def app(launcher: str) -> None:
        (tmp_path / "app.py").write_text(APP)
        (tmp_path / "config.yaml").write_text(
            CONFIG.replace("HOOK/", f"{hooks.url}/").replace("LAUNCHER", launcher)
        )

    return app


def test_each_event_arrives_and_no_address_reaches_the_disk(
    app: Callable[[str], None], hooks: Hooks, tmp_path: Path
) -> None:
    app("podium")
    variables = {"HOOK": f"{hooks.url}/by-variable/S3CRET", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = f"alarm.notify.to=['{hooks.url}/typed/S3CRET','${{oc.env:HOOK}}']"
    first = run(tmp_path, "app.py", "-m", "x=3,4", "hydra.launcher.n_jobs=1", command, **variables)
    assert first.code == 0, first.err
    assert "S3CRET" not in first.out + first.err
    assert "alarm.notify.to: an address from the command line is not kept" in first.out
    assert sorted({path for path, _ in hooks.requests}) == ["/by-variable/S3CRET", "/typed/S3CRET"]
    assert sorted(hooks.events) == sorted(["best", "promoted", "finished"] * 2)
    assert files_with("S3CRET", tmp_path) == []

    # Nothing is left to do, so nothing is sent.
    hooks.posts.clear()
    again = run(
        tmp_path, "-m", "sweeps", "resume", "latest", "--notify", f"{hooks.url}/given/S3CRET", **variables
    )
    assert (again.code, hooks.posts) == (0, []), again.err

    hooks.requests.clear()
    more = ["x=2,3,4", "--notify", f"{hooks.url}/given/S3CRET", "--notify", "command:exit 7 # S3CRET"]
    more += ["--notify", "command:printenv PODIUM_NOTIFY > printed; true"]
    extended = run(tmp_path, "-m", "sweeps", "resume", "latest", *more, **variables)
    assert extended.code == 0, extended.err
    assert {path for path, _ in hooks.requests} == {"/given/S3CRET"}
    assert sorted(hooks.events) == ["finished", "promoted"]  # the only job, so no best before them
    assert (tmp_path / "printed").read_text() == ""
    assert "to command:exit *** not sent: the command ended with exit code 7" in extended.out
    assert "S3CRET" not in extended.out + extended.err
    assert files_with("S3CRET", tmp_path) == []
    assert files_with("PODIUM_NOTIFY}", tmp_path) == []  # later sessions cannot use what this one was given


def test_a_launcher_that_composes_again_writes_no_address_either(
    app: Callable[[str], None], hooks: Hooks, tmp_path: Path
) -> None:
    app("basic")
    path = str(Path(__file__).parents[2])
    result = run(tmp_path, "app.py", "-m", "x=2,7", HOOK=f"{hooks.url}/by-variable/S3CRET", PYTHONPATH=path)
    assert result.code == 0, result.err
    assert hooks.events.count("finished") == 2
    assert files_with("S3CRET", tmp_path) == []


def test_notifiers_that_fail_or_hang_cost_a_sweep_nothing(sweep: Callable[..., Sweep], hooks: Hooks) -> None:
    hooks.holds.clear()
    to = f"hydra.sweeper.notify.to=['{hooks.url}/S3CRET','command:sleep 600','command:exit 3']"
    result = sweep("-m", "x=1,2", to, "hydra.sweeper.output=json")
    assert result.code == 0, result.err
    assert f'1 alert to {hooks.url}/*** not sent: it took too long"' in result.out
    assert (
        '1 alert to command:sleep *** not sent: it took too long"' in result.out or "was killed" in result.out
    )
    assert "command:exit *** not sent: the command ended with exit code 3" in result.out
    assert result.err == ""


def test_a_wrong_address_is_refused_before_the_first_job(sweep: Callable[..., Sweep]) -> None:
    result = sweep("-m", "x=1,2", "hydra.sweeper.notify.to=[https://x.org:S3CRET/]")
    assert result.code == 1
    assert "hydra.sweeper.notify.to=https://***: has no host, or a port" in result.err
    assert "S3CRET" not in result.err
    assert not (result.cwd / "experiments" / "sweeps").exists()
