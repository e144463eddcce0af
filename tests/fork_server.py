"""The process that has imported the libraries of a kind, from which `forked` has commands forked."""

import atexit
import contextlib
import dataclasses
import functools
import gc
import importlib
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any

from forked import LENGTH, PID, ROOT, WRITTEN_FOR_1_3, Command
from forked_programs import Ending, become, replaced


def serve(listener: socket.socket) -> tuple[Any, list[int]]:
    """Fork a process for each request until standard input ends; return in it, with the request."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(0, selectors.EVENT_READ)
    children: dict[int, tuple[int, int]] = {}
    while True:
        for key, _ in selector.select():
            if key.fd == 0:
                os._exit(0)
            elif key.fd in children:
                pid, tells = children.pop(key.fd)
                selector.unregister(key.fd)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(BrokenPipeError):
                    os.write(tells, PID.pack(status))
                os.close(key.fd)
                os.close(tells)
            else:
                connection, _ = listener.accept()
                with connection:
                    asked, (tells, *descriptors) = _receive(connection)
                    pid = os.fork()
                    if pid:
                        connection.sendall(PID.pack(pid))
                if not pid:
                    selector.close()
                    listener.close()
                    for descriptor in (tells, *children, *(pipe for _, pipe in children.values())):
                        os.close(descriptor)
                    return asked, descriptors
                for descriptor in descriptors:
                    os.close(descriptor)
                ends = os.pidfd_open(pid)
                children[ends] = pid, tells
                selector.register(ends, selectors.EVENT_READ)


def _receive(connection: socket.socket) -> tuple[Any, list[int]]:
    message, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 16)
    asked = bytearray()
    while len(asked) < LENGTH.unpack(message)[0]:
        asked += connection.recv(1 << 20)
    return json.loads(asked), descriptors


def _warm_up() -> None:
    """Compose a config once: parsers build their tables as they parse. Leave no trace in Hydra but which plug-ins there are."""
    from hydra import compose, initialize_config_dir
    from hydra.core.plugins import Plugins
    from hydra.core.singleton import Singleton

    from hydra_plugins.podium.versions import current_defaults

    Plugins.instance()
    state = {**Singleton._instances}
    with initialize_config_dir(
        str(Path(__file__).parent / "sweeps" / "apps" / "quadratic"), **current_defaults()
    ):
        compose("config", overrides=["x=1", "hydra.sweeper.name=a"])
    Singleton._instances.clear()
    Singleton._instances.update(state)


def _allow_apps_for_hydra_1_3() -> None:
    """Let apps say what Hydra 1.4 warns of, where that is it, although every warning is an error here."""
    from hydra_plugins.podium.versions import current_defaults

    for message in () if current_defaults() else WRITTEN_FOR_1_3:
        warnings.filterwarnings("ignore", re.escape(message))
        # Which the processes of an app get. Without a category Python would drop what PYTHONWARNINGS has too.
        sys.warnoptions.append(f"ignore:{message}:Warning")


def _know_own_repository() -> None:
    """Ask git about the repository of the tests once, and not in each job of an app that lies in it."""
    from tracking.provenance import code

    if code.find_root(ROOT) != ROOT:
        return
    known, ask = code.read_code(ROOT, ROOT), code.read_code

    def read_code(root: Path, folder: Path, **options: Any) -> code.Code:
        if root != ROOT:
            return ask(root, folder, **options)
        return dataclasses.replace(known, folder=folder.relative_to(root).as_posix())

    code.read_code = read_code


if __name__ == "__main__":
    end = Ending()
    atexit.register(end)  # before any other, to come last
    base = sys.path[1:]
    sys.path[:] = [str(ROOT), *base]
    for module in sys.argv[3:]:
        importlib.import_module(module)
    from sweeps.executor.local import ending, server_process
    from sweeps.ranking import winner
    from tracking.gate import scoring

    # Sweeps start their forkservers, and what draws and scores their winners, here too.
    Command.address = sys.argv[1]
    for module in (server_process, winner, *([scoring] if "torch" in sys.modules else [])):
        module.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": Command})
    # A command that becomes another one goes on in its process.
    os.execve = os.execv = functools.partial(replaced, base)
    for name in ("forked", "forked_programs"):  # of the tests: no program imports them
        del sys.modules[name]
    _warm_up()
    _allow_apps_for_hydra_1_3()
    _know_own_repository()
    ending.remember_modules()
    gc.collect()
    gc.freeze()
    request = serve(socket.socket(fileno=int(sys.argv[2])))
    with end.noted():
        become(*request, base)
