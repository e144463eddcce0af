"""A sweep on the batch jobs of a real Slurm, of dask-jobqueue or of one's own: it is at home there, and goes on when they end.

`make test-slurm` has what it needs. The Slurm is one of our own, with one node that is this machine, and ends with the tests.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import engine_sweeps
import psutil
import pytest
from dask_started import started_dask
from engine_processes import PACKAGES, interpreter, wait_for
from engine_sweeps import APP, NAME, board, end, end_stopped, events

SLOW = ("x=0.1,0.3", "fault=slow")  # 50 ms an epoch
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "squeue")
ABSENT = [program for program in PROGRAMS if shutil.which(program) is None]

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(ABSENT), reason=f"Slurm and MUNGE are not installed: {', '.join(ABSENT)}"),
    pytest.mark.skipif(os.getuid() != 0, reason="only root can run the daemons of Slurm"),
    pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="dask-jobqueue is not installed"),
]

# As most sites have it, a signal for a batch job reaches all its processes.
SLURM = """
ClusterName=podium
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=30
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
# The recipe of docs/engines.md, on a small scale.
LAUNCHER = """
defaults: [podium_dask]
scale: 2
n_jobs: 1
cluster:
  _target_: dask_jobqueue.SLURMCluster
  cores: 1
  processes: 1
  memory: 1GB
  walltime: "04:00:00"
  nanny: false
  scheduler_options: {dashboard_address: "127.0.0.1:0"}
"""

# The second recipe: what `sbatch` gets.
BATCH_JOB = """\
#!/bin/bash
#SBATCH --cpus-per-task=1 --mem=1G --output={folder}/batch-%A.out
#SBATCH --requeue --open-mode=append --signal=B:TERM@120
trap 'kill $worker; wait $worker; scontrol requeue $SLURM_JOB_ID' TERM
{dask} worker {address} --no-nanny --nthreads 1 & worker=$!
wait $worker
"""


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


class Slurm:
    """The daemons of a Slurm whose only node is this machine, with all their files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PYTHONPATH": PACKAGES}
        self.daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        host = socket.gethostname().partition(".")[0]
        for each in ("state", "spool"):
            (self.folder / each).mkdir()
        text = SLURM.format(host=host, folder=self.folder, ports=free_ports())
        (self.folder / "slurm.conf").write_text(text)
        key = self.folder / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        socket_file = self.folder / "munge.socket"
        files = (f"--{name}-file={self.folder}/munge.{name}" for name in ("pid", "log", "seed"))
        self.daemon(
            "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={socket_file}", *files
        )
        wait_for(socket_file.exists)
        self.daemon("slurmctld", "-D")
        self.daemon("slurmd", "-D", "-N", host)
        wait_for(lambda: "idle" in self.call("sinfo", "--noheader", "--format=%T", check=False))

    def daemon(self, *words: str) -> None:
        with (self.folder / f"{words[0]}.out").open("w") as out:
            daemon = subprocess.Popen(
                words, env=self.environment, cwd=self.folder, stdout=out, stderr=out, start_new_session=True
            )
        self.daemons.append(daemon)

    def call(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=check)
        return done.stdout

    def batch_jobs(self) -> list[str]:
        return self.call("squeue", "--noheader", "--states=R", "--format=%i").split()

    def close(self) -> None:
        for daemon in reversed(self.daemons):
            daemon.terminate()
            daemon.wait(60)
        for (
            process
        ) in psutil.process_iter():  # Slurm loses sight of a worker that outlives the shell of its batch job
            with contextlib.suppress(psutil.Error):
                if process.environ().get("SLURM_CONF") == self.environment["SLURM_CONF"]:
                    process.kill()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        slurm.start()
        yield slurm
        slurm.call("scancel", "--user=root", check=False)
    finally:
        slurm.close()


def begin(slurm: Slurm, folder: Path, *words: str, is_ours: bool = True) -> "subprocess.Popen[str]":
    shutil.copytree(APP.parent, folder)
    if not is_ours:  # the launcher, which lacks the keys that the app sets
        lines = (folder / "config.yaml").read_text().splitlines()
        (folder / "config.yaml").write_text("\n".join(line for line in lines if "launcher: {" not in line))
    (folder / "hydra" / "launcher").mkdir(parents=True)
    (folder / "hydra" / "launcher" / "slurm.yaml").write_text(LAUNCHER)
    return engine_sweeps.begin(folder, "app.py", "-m", NAME, *words, env=slurm.environment)


@pytest.fixture
def board_at_home(slurm: Slurm, tmp_path: Path) -> Callable[..., list[dict[str, str]]]:
    """Run a sweep on this machine, without what slows its jobs; return the leaderboard."""

    def run(*words: str) -> list[dict[str, str]]:
        folder = tmp_path / "home"
        end(begin(slurm, folder, *words, "fault=null"))
        return board(folder)

    return run


def test_a_sweep_ends_with_the_leaderboard_of_one_machine_and_leaves_no_batch_job(
    slurm: Slurm, tmp_path: Path, board_at_home: Callable
) -> None:
    grid = ("x=0.1,0.3,0.45,0.6", "epochs=9")
    end(begin(slurm, tmp_path / "app", *grid, "hydra/launcher=slurm"))
    assert board(tmp_path / "app") == board_at_home(*grid)
    assert len({entry["node"] for entry in events(tmp_path / "app", "started")}) == 2
    wait_for(lambda: slurm.batch_jobs() == [])


@pytest.mark.parametrize("nanny", ["false", "true"])
@pytest.mark.parametrize("command", [("scancel",), ("scontrol", "requeue")], ids=" ".join)
def test_jobs_of_a_batch_job_that_is_taken_back_go_on_and_another_one_takes_its_place(
    slurm: Slurm, tmp_path: Path, board_at_home: Callable, command: tuple[str, ...], nanny: str
) -> None:
    folder, grid = tmp_path / "app", (*SLOW, "epochs=1200")
    process = begin(slurm, folder, *grid, "hydra/launcher=slurm", f"hydra.launcher.cluster.nanny={nanny}")
    wait_for(lambda: len(events(folder, "run")) == 2)
    slurm.call(*command, slurm.batch_jobs()[0])
    out = end(process)
    assert " leaves: it got SIGTERM" in out
    assert len(events(folder, "retry")) == 1
    assert len({entry["node"] for entry in events(folder, "started")}) == 3
    assert board(folder) == board_at_home(*grid)


def test_a_sweep_outlasts_the_time_of_its_batch_jobs(
    slurm: Slurm, tmp_path: Path, board_at_home: Callable
) -> None:
    folder, grid = tmp_path / "app", (*SLOW, "epochs=2000")
    minute = (
        "hydra.launcher.cluster.walltime='00:01:00'"  # the shortest that Slurm has, and it takes its time
    )
    out = end(begin(slurm, folder, *grid, "hydra/launcher=slurm", minute))
    assert " leaves: it got SIGTERM" in out
    assert {entry["job"] for entry in events(folder, "retry")} == {0, 1}
    assert board(folder) == board_at_home(*grid)


def test_ctrl_c_stops_the_sweep_gently_and_its_batch_jobs_end(slurm: Slurm, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    process = begin(slurm, folder, *SLOW, "epochs=8000", "hydra/launcher=slurm")
    wait_for(lambda: len(events(folder, "run")) == 2)
    os.killpg(process.pid, signal.SIGINT)
    end_stopped(process)
    assert {entry["status"] for entry in events(folder, "finished")} <= {"killed", "cancelled"}
    wait_for(lambda: slurm.batch_jobs() == [])


@pytest.fixture
def scheduler(slurm: Slurm, tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler of Dask."""
    with started_dask(tmp_path / "dask", start=partial(interpreter, env=slurm.environment)) as dask:
        yield dask.address


def test_jobs_of_a_batch_job_of_one_s_own_go_on_elsewhere_when_slurm_warns_it_and_it_is_queued_again(
    slurm: Slurm, tmp_path: Path, scheduler: str, board_at_home: Callable
) -> None:
    dask = f"{sys.executable} -m dask"
    script = tmp_path / "worker.sh"
    script.write_text(BATCH_JOB.format(folder=tmp_path, dask=dask, address=scheduler))

    def submit(time: str) -> str:
        return slurm.call("sbatch", "--parsable", "--array=1", f"--time={time}", str(script)).strip()

    folder, grid = tmp_path / "app", ("x=0.1", "fault=slow", "epochs=2400")
    short = submit("00:03:00")
    address = ("hydra/launcher=podium_dask", f"hydra.launcher.address='{scheduler}'")
    process = begin(slurm, folder, *grid, *address)
    wait_for(lambda: events(folder, "run"))
    lasting = submit("01:00:00")
    out = end(process)
    (retry,) = events(folder, "retry")
    assert " leaves: it got SIGTERM" in out
    assert retry["error"].startswith("its node")
    assert retry["error"].endswith("left")
    assert board(folder) == board_at_home(*grid)
    jobs = slurm.call("squeue", "--noheader", "--array", "--format=%F %T %r").splitlines()
    assert {line.split()[0]: line.split()[1] for line in jobs} == {short: "PENDING", lasting: "RUNNING"}
    slurm.call("scancel", short, lasting)
    wait_for(lambda: slurm.batch_jobs() == [])


def test_the_stock_launcher_of_submitit_runs_a_sweep(
    slurm: Slurm, tmp_path: Path, board_at_home: Callable
) -> None:
    grid = ("x=0.1,0.3", "epochs=9")
    limits = ("hydra.launcher.timeout_min=5", "hydra.launcher.mem_gb=1", "hydra.launcher.cpus_per_task=1")
    end(begin(slurm, tmp_path / "app", *grid, "hydra/launcher=submitit_slurm", *limits, is_ours=False))
    assert board(tmp_path / "app") == board_at_home(*grid)
