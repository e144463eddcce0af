"""The port of the server, and the browser that it opens."""

import errno
import ipaddress
import os
import socket
import sys
import threading

from tracking import InvalidValueError, TrackingError

PORT = 8710
FURTHER = 20  # ports that are tried after this one
BACKLOG = 128


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens on this machine alone; who connects waits until it is served.

    Without a port it is PORT or one of the next ones, with 0 any free one. Raise InvalidValueError for a host that others
    can reach, and TrackingError for a port that is taken.
    """
    address = _loopback(host)
    wanted = [port] if port is not None else [*range(PORT, PORT + FURTHER), 0]
    for each in wanted:
        try:
            return _bound(address, each)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise TrackingError(f"cannot listen on {host}: {error.strerror or error}") from error
            refusal = error
    taken = refusal.errno == errno.EADDRINUSE
    reason = "is taken, perhaps by another dashboard" if taken else f"cannot be used: {refusal.strerror}"
    raise TrackingError(f"port {port} {reason}; choose another one, or --port 0 for any that is free")


def origin(listening: socket.socket) -> str:
    """Return the address of the server, without a path."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def open_browser(address: str) -> None:
    """Open an address in the user's browser, and go on at once. Does nothing where there is no screen."""
    is_seen = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if is_seen:  # elsewhere it would be a browser in this terminal

        def show() -> None:
            import webbrowser

            webbrowser.open(address)

        threading.Thread(target=show, daemon=True).start()


def _bound(address: tuple[socket.AddressFamily, str], port: int) -> socket.socket:
    family, host = address
    # asyncio turns Nagle's algorithm off only where the protocol is named; else the body of an answer waits 40 ms for
    # the delayed acknowledgement of its headers
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port whose last connections are still on their way out is free.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(BACKLOG)
    except OSError:
        found.close()
        raise
    return found


def _loopback(host: str) -> tuple[socket.AddressFamily, str]:
    """Return the family and the address of a host; raise InvalidValueError unless only this machine reaches it."""
    text = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise InvalidValueError(
            f"--host {host}: the dashboard listens on this machine alone (127.0.0.1, ::1); from another one use "
            "a tunnel of ssh, or a reverse proxy and --allow-host"
        )
    return (socket.AF_INET6 if address.version == 6 else socket.AF_INET), text
