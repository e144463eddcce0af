"""The launcher under Hydra's stock sweeper: its folders, its order, its way to report a failure."""

from collections.abc import Callable


def test_the_stock_sweeper_gets_its_jobs_run_in_its_own_folders(sweep: Callable) -> None:
    result = sweep(
        "--config-name",
        "bare",
        "-m",
        "x=0,1,2",
        "hydra.sweep.dir=out",
        "hydra.sweep.subdir=job-${hydra.job.num}",
    )
    assert result.code == 0, result.err
    overrides = [
        (result.cwd / "out" / f"job-{n}" / ".hydra" / "overrides.yaml").read_text() for n in range(3)
    ]
    assert overrides == ["- x=0\n", "- x=1\n", "- x=2\n"]
    assert (result.cwd / "out" / "multirun.yaml").exists()


def test_a_failed_job_is_the_stock_sweepers_error_after_all_have_run(sweep: Callable) -> None:
    result = sweep(
        "--config-name", "bare", "-m", "track=true", "fault=none,sigkill,raise", "hydra.sweep.dir=out"
    )
    assert result.code == 1
    assert "job 1 killed: killed by SIGKILL" in result.err
    assert "ValueError: no such luck" in (result.cwd / "out" / "2" / "output.log").read_text()


def test_jobs_share_the_machines_threads(sweep: Callable) -> None:
    result = sweep(
        "--config-name", "bare", "-m", "fault=threads", "track=true", "x=1,2", "hydra.launcher.threads=3"
    )
    assert result.code == 0, result.err
    assert sorted(path.name for path in result.cwd.glob("threads-*")) == ["threads-1-3", "threads-2-3"]
