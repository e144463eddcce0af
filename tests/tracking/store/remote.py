"""A process on another host, as far as it can tell: it answers each line of Python that it is sent with JSON.

Usage: remote.py HOST SHARED MOUNT [FILE=SHOWN]..., inside namespaces of its own. SHARED is mounted at MOUNT, the
store is MOUNT/store. Each FILE is shown in the place of SHOWN, such as the boot's id.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tracking import ExperimentTracker


def die_after(work: Callable[[], Any]) -> Any:
    """The answer of `work`, done in a process that is killed after it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(work()).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        return json.load(answer)


if __name__ == "__main__":
    host, shared, mount, *disguises = sys.argv[1:]
    socket.sethostname(host)
    for place in (f"{shared}={mount}", *disguises):
        subprocess.run(["mount", "--bind", *place.split("=")], check=True)
    tracker = ExperimentTracker(f"{mount}/store")
    for line in sys.stdin:
        answer = eval(line, {"tracker": tracker, "die_after": die_after})
        os.write(1, json.dumps(answer).encode() + b"\n")
