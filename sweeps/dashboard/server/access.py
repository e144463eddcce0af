"""The token of a dashboard: the same each time that a user shows the same stores.

A page that is open when the server is started again has a cookie with it, and goes on by itself. So the token follows from
a key that only this user can read, which also signs the plans of sweeps; the store holds nothing of it.
"""

import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from sweeps.state.origin import own_key
from tracking import InvalidValueError
from tracking.values.jsontext import encode, readable

VARIABLE = "PODIUM_DASHBOARD_TOKEN"
LEAST_CHARACTERS = 16
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")


def token_of(stores: Sequence[Path]) -> str:
    """Return the token for these stores: that of the environment, else this user's own; a new one if no key can be kept.

    It is no option of a command, because other users of a machine see those.
    """
    given = os.environ.get(VARIABLE, "")
    if given:
        if len(given) < LEAST_CHARACTERS or not SAFE.issuperset(given):
            raise InvalidValueError(
                f"{VARIABLE} has {len(given)} characters; it takes {LEAST_CHARACTERS} or more of letters, digits, "
                "'-', '_', '.' and '~'"
            )
        return given
    key = own_key()
    if key is None:
        return secrets.token_hex(16)
    places = encode([readable(str(store.resolve())) for store in stores])
    return hmac.new(key, b"dashboard\n" + places, "sha256").hexdigest()[:32]
