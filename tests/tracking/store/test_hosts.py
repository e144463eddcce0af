"""Two hosts at one shared folder: names are distinct, nobody judges processes he cannot see, edits are seen by both.

A host is a process with a host name, mounts and process numbers of its own; the folder lies elsewhere on each.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
REMOTE = Path(__file__).with_name("remote.py")
IDENTITIES = {"boot": "/proc/sys/kernel/random/boot_id", "machine": "/etc/machine-id"}
OWN = ("unshare", "--uts", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")


def own_namespaces() -> tuple[str, ...]:
    """The command that gives a process namespaces of its own; empty where that is not allowed."""
    for command in (OWN, (*OWN, "--map-root-user")):
        if shutil.which("unshare") and not subprocess.run([*command, "true"], capture_output=True).returncode:
            return command
    return ()


UNSHARE = own_namespaces()
pytestmark = pytest.mark.skipif(not UNSHARE, reason="namespaces of one's own need unshare and root")


class Host:
    """A process on a host of its own, with a tracker on the shared store."""

    def __init__(self, name: str, shared: Path, mount: Path, trace: Path, disguises: list[str]) -> None:
        mount.mkdir(parents=True)
        self.store = mount / "store"
        self.trace = trace
        watch = (
            ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=openat"] if shutil.which("strace") else []
        )
        self.process = subprocess.Popen(
            [*UNSHARE, *watch, sys.executable, str(REMOTE), name, str(shared), str(mount), *disguises],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def send(self, code: str) -> None:
        self.process.stdin.write(f"{code}\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        return json.loads(self.process.stdout.readline())

    def ask(self, code: str) -> Any:
        self.send(code)
        return self.answer()

    def statuses(self) -> dict[str, str]:
        return {run["run_id"]: run["status"] for run in self.ask("tracker.list_runs()")}

    def opened(self) -> set[str]:
        """The names of all files the host opened so far; empty without strace."""
        text = self.trace.read_text() if self.trace.exists() else ""
        return {Path(line.split('"')[1]).name for line in text.splitlines() if '"' in line}


Start = Callable[..., Host]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    hosts: list[Host] = []
    (tmp_path / "shared").mkdir()

    def start(name: str, place: str = "", **shown: str) -> Host:
        place = place or name
        disguises = []
        for path, text in shown.items():
            (tmp_path / f"{place}.{path}").write_text(f"{text}\n")
            disguises.append(f"{tmp_path / f'{place}.{path}'}={IDENTITIES[path]}")
        mount, trace = tmp_path / place / "mnt", tmp_path / f"{place}.trace"
        hosts.append(Host(name, tmp_path / "shared", mount, trace, disguises))
        return hosts[-1]

    yield start
    for host in hosts:
        host.process.communicate()
        assert host.process.returncode == 0


@pytest.fixture
def pair(start: Start) -> tuple[Host, Host]:
    return start("alpha"), start("beta")


def both(pair: tuple[Host, Host], code: str) -> list[Any]:
    """The answers of both hosts to code that they run at the same time."""
    for host in pair:
        host.send(code)
    return [host.answer() for host in pair]


def test_two_hosts_creating_at_once_get_different_names(pair: tuple[Host, Host]) -> None:
    alpha, beta = both(pair, "[tracker.create_run('x') for _ in range(40)]")
    assert len({*alpha, *beta}) == 80
    one, two = both(pair, "(tracker.publish(), tracker.list_runs())[1]")
    assert {run["run_id"] for run in one} == {run["run_id"] for run in two} == {*alpha, *beta}


def test_nobody_says_that_a_process_of_another_machine_is_gone(start: Start) -> None:
    alpha, beta = start("alpha", boot="one"), start("beta", boot="two")
    living = alpha.ask("tracker.create_run('x')")
    dead = alpha.ask("die_after(lambda: tracker.create_run('x'))")
    assert alpha.statuses() == {living: "running", dead: "killed"}
    assert beta.statuses() == {living: "running", dead: "running"}
    assert beta.ask(f"tracker.get_run({dead!r})")["status"] == "running"


@pytest.mark.parametrize("names", [("alpha", "alpha"), ("alpha", "beta")])
def test_of_two_containers_each_knows_which_processes_of_the_other_live(
    start: Start, names: tuple[str, str]
) -> None:
    one, two = start(names[0], "one"), start(names[1], "two")
    living = one.ask("tracker.create_run('x')")
    dead = one.ask("die_after(lambda: tracker.create_run('x'))")
    assert two.statuses() == one.statuses() == {living: "running", dead: "killed"}


def test_a_reboot_ends_every_run_of_the_host(start: Start) -> None:
    before = start("alpha", "before", boot="first")
    run_id = before.ask("tracker.create_run('x')")
    after = start("alpha", "after", boot="second")
    assert after.statuses() == {run_id: "killed"}
    assert before.statuses() == {run_id: "running"}


@pytest.mark.skipif(
    not Path("/etc/machine-id").exists(), reason="a machine without an id is known by its name"
)
def test_another_machine_of_the_same_name_is_no_reboot(start: Start) -> None:
    one = start("node", "one", boot="first", machine="one")
    run_id = one.ask("tracker.create_run('x')")
    two = start("node", "two", boot="second", machine="two")
    assert two.statuses() == {run_id: "running"}
    two.ask(f"tracker.log_metrics({run_id!r}, {{'a': 1}})")
    assert two.ask(f"tracker.get_run({run_id!r})")["status"] == "running"
    one.ask(f"tracker.finish_run({run_id!r})")
    assert two.statuses() == {run_id: "completed"}


def test_paths_are_shown_below_the_own_mount(pair: tuple[Host, Host]) -> None:
    run_id = pair[0].ask("tracker.create_run('x')")
    for host in pair:
        assert host.ask(f"tracker.get_run({run_id!r})")["run_dir"] == f"{host.store}/runs/{run_id}"
        assert host.ask(f"str(tracker.record({run_id!r}).run_dir)") == f"{host.store}/runs/{run_id}"
        assert host.ask(f"tracker.open_run({run_id!r}).run_dir.is_dir()")


def test_each_host_writes_its_own_journal_and_both_read_all_points(
    pair: tuple[Host, Host], tmp_path: Path
) -> None:
    run_id = pair[0].ask("tracker.create_run('x')")
    both(pair, f"[tracker.log_metrics({run_id!r}, {{'a': n}}, step=n) for n in range(300)]")
    code = f"[point['step'] for point in tracker.get_run({run_id!r})['metrics']['a']]"
    assert both(pair, code) == [sorted([*range(300)] * 2)] * 2
    assert both(pair, f"tracker.record({run_id!r}).summary['a'].count") == [600, 600]
    assert len(list(tmp_path.glob(f"shared/store/runs/{run_id}/metrics*.jsonl"))) == 2
    pair[0].ask(f"tracker.finish_run({run_id!r})")
    pair[1].ask(f"tracker.log_metrics({run_id!r}, {{'a': 300}}, step=300)")
    pair[1].ask(f"tracker.finish_run({run_id!r})")
    assert both(pair, code) == [[*sorted([*range(300)] * 2), 300]] * 2


def test_an_edit_on_one_host_is_seen_on_the_other(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    run_id = alpha.ask("tracker.create_run('x')")
    alpha.ask(f"tracker.log_metrics({run_id!r}, {{'a': 1}})")
    alpha.ask(f"tracker.finish_run({run_id!r})")
    tags = "[record.tags for record in tracker.records()]"
    last = "[record.summary['a'].last for record in tracker.records()]"
    assert (beta.ask(tags), beta.ask(last)) == ([{}], [1])
    alpha.ask(f"tracker.open_run({run_id!r}).set_tags({{'seen': 'yes'}})")
    assert beta.ask(tags) == [{"seen": "yes"}]
    alpha.ask(f"tracker.log_metrics({run_id!r}, {{'a': 2}})")
    assert beta.ask(last) == [2]
    beta.ask(f"tracker.open_run({run_id!r}).set_tags({{'seen': 'too'}})")
    assert alpha.ask(tags) == [{"seen": "too"}]


def test_a_run_deleted_on_one_host_is_gone_and_restored_on_the_other(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    run_id = alpha.ask("(run_id := tracker.create_run('x'), tracker.finish_run(run_id))[0]")
    kept = beta.ask("(run_id := tracker.create_run('x'), tracker.finish_run(run_id))[0]")
    assert set(beta.statuses()) == set(alpha.statuses()) == {run_id, kept}
    alpha.ask(f"str(tracker.delete_run({run_id!r}))")
    assert set(beta.statuses()) == {kept}
    assert beta.ask("tracker.create_run('x')") not in {run_id, kept}
    beta.ask(f"str(tracker.restore_run({run_id!r}))")
    assert run_id in alpha.statuses()


@pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace, which sees what is opened, is not installed"
)
def test_no_host_opens_the_read_index_of_the_other(pair: tuple[Host, Host]) -> None:
    for host in (*pair, *pair):
        host.ask("tracker.finish_run(tracker.create_run('x'))")
        assert host.ask("len(tracker.records())") > 0
        assert host.ask("tracker.get_best_run('a')") is None
    alpha, beta = ({name for name in host.opened() if ".sqlite" in name} for host in pair)
    assert alpha
    assert beta
    assert not alpha & beta
