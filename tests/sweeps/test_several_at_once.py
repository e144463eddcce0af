"""The programs of the page about sweeps that compute several jobs at once run as they stand there."""

import re
from pathlib import Path

import forked
import pytest
from quadratic import Sweep

PAGE = Path(__file__).parents[2] / "docs" / "sweeps.md"
SECTION = PAGE.read_text().partition("### Compute several jobs at once\n")[2].partition("\n### ")[0]
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", SECTION, re.DOTALL)


@pytest.mark.parametrize("place", range(2))
def test_a_program_of_the_page_runs_its_jobs_in_shared_processes(tmp_path: Path, place: int) -> None:
    (_, config), (_, program), (_, command) = BLOCKS[3 * place : 3 * place + 3]
    (tmp_path / "app.py").write_text(program)
    (tmp_path / "config.yaml").write_text(config)
    arguments = command.split()[1:]
    answer = forked.run(*arguments, "hydra.launcher.n_jobs=2", cwd=tmp_path, timeout=100)
    assert answer.returncode == 0, answer.stderr
    sweep = Sweep(0, answer.stdout, answer.stderr, tmp_path)
    pids = [event["pid"] for event in sweep.events if event["event"] == "started"]
    assert 2 == len(set(pids)) < len(pids)
    best = sweep.rows[0]["point"]
    assert best == ({"x": 2, "y": -1}, {"width": 2, "rate": 0.3})[place]


def test_each_program_of_the_section_is_run() -> None:
    assert [language for language, _ in BLOCKS] == ["yaml", "python", "sh"] * 2
