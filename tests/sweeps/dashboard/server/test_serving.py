"""The command from its start to its end: the port, the address, the browser, the token, Ctrl-C."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from quadratic import await_true
from served import ROOT, Served

from sweeps.dashboard import command
from sweeps.dashboard.server.access import VARIABLE, token_of
from sweeps.dashboard.server.listening import FURTHER, PORT, listen, origin
from sweeps.dashboard.server.stores import names_of
from tracking import ExperimentTracker, InvalidValueError, TrackingError

HEAVY = ("numpy", "pandas", "sklearn", "matplotlib", "torch", "scipy", "hydra", "omegaconf", "rich")


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Call `podium dashboard` with words that it refuses; its exit code and what it says."""

    def refused(*words: str) -> tuple[int, str]:
        with contextlib.chdir(tmp_path):
            code = command.main(words)
        answer = capsys.readouterr()
        assert answer.out == ""
        return code, answer.err

    return refused


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_one_line_and_a_signal_ends_it_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with Served("--port", 0, cwd=tmp_path) as served:
        assert served.line.startswith(f"Dashboard of experiments: http://127.0.0.1:{served.port}/?token=")
        with served.stream({"table": True}) as stream:
            stream.next()
            code, out, err = served.end(number)
            assert (out, err) == ("", "")
            assert code == (0 if number is signal.SIGINT else -signal.SIGTERM)


def test_a_store_without_runs_is_empty_and_stays_so(tmp_path: Path) -> None:
    with Served("--port", 0, cwd=tmp_path) as served:
        assert served.api("0/runs")["total"] == 0
        assert served.api("0/sweeps") == {"sweeps": []}
        assert served.api("0/models") == {"models": [], "left_out": []}
        assert not [*tmp_path.iterdir()]
        with ExperimentTracker(tmp_path / "experiments").start_run("x"):
            assert served.api("0/runs")["total"] == 1


def test_the_same_stores_have_the_same_token_each_time_and_others_another(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    tokens = [token_of(each) for each in ([one], [two], [one, two], [two, one], [one])]
    assert tokens[0] == tokens[4]
    assert len(set(tokens)) == 4
    assert all(len(token) == 32 for token in tokens)


def test_without_a_home_each_start_has_a_token_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert token_of([tmp_path]) != token_of([tmp_path])


@pytest.mark.parametrize(
    "given", ["short", "with spaces in the token", "semicolon;semicolon", "ümlaut-ümlaut-ümlaut"]
)
def test_a_token_of_the_environment_that_no_address_holds_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str, refused: Callable[..., tuple[int, str]]
) -> None:
    monkeypatch.setenv(VARIABLE, given)
    code, said = refused("--no-open")
    assert code == 2
    assert VARIABLE in said
    assert given not in said
    monkeypatch.setenv(VARIABLE, "a-token-of-the-user")
    assert token_of([]) == "a-token-of-the-user"


def test_a_port_that_is_taken_is_an_error_only_if_it_was_given(
    refused: Callable[..., tuple[int, str]],
) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        code, said = refused("--port", str(port), "--no-open")
        assert code == 1
        assert f"port {port} is taken" in said
    with listen("127.0.0.1", None) as first, listen("127.0.0.1", None) as second:
        assert first.getsockname()[1] != second.getsockname()[1]
        assert PORT <= first.getsockname()[1] < PORT + FURTHER


@pytest.mark.parametrize("port", ["65536", "99999", "-1", "80x"])
def test_a_port_that_no_machine_has_is_refused(port: str, refused: Callable[..., tuple[int, str]]) -> None:
    code, said = refused("--port", port, "--no-open")
    assert code == 2
    assert "--port" in said
    assert port in said
    assert "Traceback" not in said


def test_it_comes_back_on_its_port_at_once(tmp_path: Path) -> None:
    with Served("--port", 0, cwd=tmp_path) as served:
        served.ask("/")
        served.end()
        with Served("--port", served.port, cwd=tmp_path) as again:
            assert again.ask("/api/stores", cookie=served.cookie).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "", "127.0.0.1.example.org"])
def test_a_host_that_others_reach_is_refused(host: str, refused: Callable[..., tuple[int, str]]) -> None:
    code, said = refused("--host", host, "--no-open")
    assert code == 2
    assert "listens on this machine alone" in said


@pytest.mark.parametrize(
    ("host", "start"),
    [("localhost", "http://127.0.0.1:"), ("127.0.0.2", "http://127.0.0.2:"), ("::1", "http://[::1]:")],
)
def test_the_addresses_of_this_machine_are_taken(host: str, start: str) -> None:
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        with listen(host, 0) as listening:
            assert origin(listening).startswith(start)
    except TrackingError as error:
        pytest.skip(str(error))


def test_an_answer_is_sent_whole_without_waiting_for_the_reader_to_acknowledge_its_first_part() -> None:
    async def no_delay() -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listen("127.0.0.1", 0) as listening:
            async with await asyncio.start_server(answer, sock=listening):
                _, writer = await asyncio.open_connection(*listening.getsockname())
                found = await accepted
                writer.close()
                await writer.wait_closed()
        return found

    assert asyncio.run(no_delay())


@pytest.mark.parametrize("name", ["", "https://lab.example.org/", "lab example", "*", "lab.example.org/path"])
def test_a_name_that_no_host_has_is_refused(name: str, refused: Callable[..., tuple[int, str]]) -> None:
    code, said = refused("--allow-host", name, "--no-open")
    assert code == 2
    assert "not the name of a host" in said


def test_a_store_that_is_not_there_is_one_sentence(
    tmp_path: Path, refused: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "file").touch()
    for store, what in (("nowhere", "does not exist"), ("file", "is no folder")):
        code, said = refused("--store", store, "--no-open")
        assert code == 1
        assert f"the store '{store}' {what}" in said
        assert said.count("\n") == 1


def test_a_store_of_the_environment_that_is_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch, refused: Callable[..., tuple[int, str]]
) -> None:
    monkeypatch.setenv("PODIUM_STORE", "nowhere")
    code, said = refused("--no-open")
    assert code == 1
    assert "the store 'nowhere' does not exist" in said


def test_the_extra_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, refused: Callable[..., tuple[int, str]]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.setattr("tracking.extras._is_installed", lambda name: name != "uvicorn")
    code, said = refused("--no-open")
    assert code == 1
    assert 'uvicorn is not installed; pip install "podium[dashboard]" installs it' in said


def test_several_stores_are_told_apart(tmp_path: Path) -> None:
    for name in ("a/experiments", "b c/experiments"):
        with ExperimentTracker(tmp_path / name).start_run(name[0]):
            pass
    with Served(
        "--store", "a/experiments", "--store", tmp_path / "b c/experiments", "--port", 0, cwd=tmp_path
    ) as served:
        stores = served.api("stores")["stores"]
        assert [store["name"] for store in stores] == ["a/experiments", "b c/experiments"]
        assert [store["path"] for store in stores] == [
            str(tmp_path / name) for name in ("a/experiments", "b c/experiments")
        ]
        for number, name in enumerate("ab"):
            assert served.api(f"{number}/names")["experiments"] == [{"name": name, "runs": 1}]
    environment = {"PODIUM_STORE": str(tmp_path / "b c/experiments")}  # a path, however many words it has
    with Served("--port", 0, cwd=tmp_path, env=environment) as served:
        assert len(served.api("stores")["stores"]) == 1


def test_a_store_that_is_named_twice_is_shown_once(tmp_path: Path) -> None:
    with ExperimentTracker(tmp_path / "one").start_run("x"):
        pass
    (tmp_path / "link").symlink_to("one")
    words = [word for name in ("one", "link", "./one", "one/../one") for word in ("--store", name)]
    with Served(*words, "--port", 0, cwd=tmp_path) as served:
        assert served.line.startswith("Dashboard of one: ")
        assert [store["name"] for store in served.api("stores")["stores"]] == ["one"]


def test_a_folder_that_is_no_store_is_doubted(tmp_path: Path) -> None:
    with ExperimentTracker(tmp_path / "project/experiments").start_run("x"):
        pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    (tmp_path / "empty").mkdir()
    words = [
        word for name in ("project", "other", "empty", "project/experiments") for word in ("--store", name)
    ]
    with Served(*words, "--port", 0, cwd=tmp_path) as served:
        assert served.api("3/runs")["total"] == 1
        _, _, said = served.end()
    first, second = said.splitlines()
    assert "project holds no runs, sweeps or models; did you mean project/experiments?" in first
    assert second.endswith("other holds no runs, sweeps or models")


def test_names_of_stores_are_as_short_as_they_may_be() -> None:
    assert names_of([Path("/x/experiments")]) == ["experiments"]
    assert names_of([Path("/x/y/e"), Path("/z/y/e"), Path("/z/y/f")]) == ["x/y/e", "z/y/e", "z/y/f"]
    assert names_of([Path("/e"), Path("/x/e")]) == ["/e", "x/e"]


def test_the_browser_is_opened_with_an_address_that_is_good_once(tmp_path: Path) -> None:
    """And the arguments of a browser, which others see, hold no token."""
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\necho "$1" > "{tmp_path}/new" && mv "{tmp_path}/new" "{tmp_path}/opened"\n'
    )
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    opens = {"BROWSER": f"{browser} %s"}
    with Served("--port", 0, cwd=tmp_path, env=opens, opens=True) as served:
        await_true((tmp_path / "opened").exists)
        address = (tmp_path / "opened").read_text().strip()
        path = address.removeprefix(f"http://127.0.0.1:{served.port}")
        assert path.startswith("/?token=")
        assert served.token not in path
        assert served.ask(path, cookie="").headers["set-cookie"].startswith(served.cookie)
        assert served.ask(path, cookie="").status == 403


def test_no_browser_is_opened_where_there_is_no_screen(tmp_path: Path) -> None:
    """It would be one in the terminal, such as lynx."""
    (tmp_path / "bin").mkdir()
    for name in ("lynx", "w3m", "links", "elinks", "www-browser", "xdg-open"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\ntouch "{tmp_path}/opened"\n')
        program.chmod(0o755)
    screen = {
        "DISPLAY": "",
        "WAYLAND_DISPLAY": "",
        "BROWSER": "",
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }
    with Served("--port", 0, cwd=tmp_path, env=screen, opens=True) as served:
        assert served.end()[0] == 0
    assert not (tmp_path / "opened").exists()


def test_no_library_for_numbers_is_loaded_whatever_is_asked(tmp_path: Path) -> None:
    with ExperimentTracker(tmp_path / "experiments").start_run("x", params={"seed": 1}) as run:
        run.log({"a": 1.0}, step=1)
    with Served("--port", 0, cwd=tmp_path, fresh=True) as served:
        for place in (
            "names",
            "runs",
            "runs?seeds=1",
            "run/run_001",
            "models",
            "sweeps",
            "compare?runs=run_001",
        ):
            assert served.ask(f"/api/0/{place}").status == 200
        loaded = Path(f"/proc/{served.process.pid}/maps").read_text()
        assert not [name for name in HEAVY if f"/site-packages/{name}/" in loaded]


def test_help_and_completion_need_no_extra(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--help"]) == 0
    assert "--allow-host" in capsys.readouterr().out
    assert command.main(["--complete", "--po"]) == 0
    assert capsys.readouterr().out == "--port\n"
    assert command.main(["--complete", "--store", ""]) == 0
    assert capsys.readouterr().out == ""
    assert command.main(["--prot", "3"]) == 2
    assert "No such option: --prot" in capsys.readouterr().err


def test_importing_the_command_loads_no_server() -> None:
    code = "import sys, sweeps.dashboard.command; print(*{'starlette', 'uvicorn', 'anyio'} & {*sys.modules})"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert answer.stdout == "\n", answer.stderr


def test_a_host_of_nonsense_is_a_sentence() -> None:
    with pytest.raises(InvalidValueError, match="listens on this machine alone"):
        listen("a b\n", 0)
