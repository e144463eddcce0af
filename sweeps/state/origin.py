"""Whether this user started a sweep: the signature of its plan.

`python -m sweeps resume` runs the command that a plan records, so a plan from elsewhere must not choose that command.
The owner of the file proves nothing, because an unpacked archive belongs to who unpacks it. A plan is therefore signed
with a key that only this user can read; see docs/decisions/0011.
"""

import contextlib
import hmac
import os
import secrets
import shlex
import stat
from dataclasses import replace
from pathlib import Path

from sweeps.errors import SweepError
from sweeps.plan.plan import Plan
from sweeps.state.resume import resume_hint
from tracking.values.jsontext import encode

KEY_BYTES = 32


def signed(plan: Plan) -> Plan:
    """Return a plan of this process with its signature; unsigned if this user cannot keep a key."""
    key = own_key()
    return replace(plan, signature=_signature(plan, key)) if key else plan


def own_key() -> bytes | None:
    """Return the key of this user, which is made first if there is none; None if this user cannot keep one."""
    key = _read_key()
    if key is None:
        with contextlib.suppress(OSError):  # a home that cannot be written
            _make_key()
        key = _read_key()
    return key


def is_own(plan: Plan) -> bool:
    """Return whether this user started the sweep of a plan, and its command is what they started it with."""
    key = _read_key()
    return key is not None and hmac.compare_digest(
        str(plan.signature).encode(), _signature(plan, key).encode()
    )


def require_own(plan: Plan, folder: Path) -> None:
    """Raise `SweepError`, which shows the recorded command, unless this user started the sweep in `folder`."""
    if not is_own(plan):
        command = f"cd {shlex.quote(str(plan.cwd))} && {shlex.join(map(str, plan.command))}"
        raise SweepError(
            f"{plan.sweep}: its recorded command is not run, because this user did not start the sweep here; "
            f"look at the command, and if you trust it: {resume_hint(folder)} --yes; the command is: {command}"
        )


def key_path() -> Path:
    """Return the file of this user's key, which need not exist; raise OSError for a user without a home."""
    home = os.environ.get("XDG_STATE_HOME", "")
    try:
        state = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise OSError(str(error)) from error
    return state / "podium" / "key"


def _read_key() -> bytes | None:
    """Return the key; None unless it is a file that this user alone can read and change."""
    try:
        handle = os.open(key_path(), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        state = os.fstat(handle)
        is_private = state.st_uid == os.geteuid() and not state.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        key = os.read(handle, KEY_BYTES) if is_private else b""
    finally:
        os.close(handle)
    return key if len(key) == KEY_BYTES else None


def _make_key() -> None:
    path = key_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f".key.{secrets.token_hex(6)}.tmp")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, secrets.token_bytes(KEY_BYTES))
        os.link(new, path)  # whole at once, and never in place of the key of another process
    finally:
        os.close(handle)
        new.unlink()


def _signature(plan: Plan, key: bytes) -> str:
    """Return the signature of all of a plan that decides what resuming runs."""
    runs = [plan.sweep, plan.command, plan.cwd, plan.store, plan.store_key]
    return hmac.new(key, encode(runs), "sha256").hexdigest()
