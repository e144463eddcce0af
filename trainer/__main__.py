"""``python -m trainer``."""

import sys

try:
    from tracking.extras import require

    require("trainer")
    from trainer.app import main
except ImportError as error:
    from hydra_plugins.podium.packages import hidden

    message = hidden("tracking")
    if message is None:
        if (
            type(error).__name__ != "MissingExtraError"
        ):  # which cannot be imported where a module of the user's hides it
            raise
        message = str(error)
    sys.exit(f"error: {message}")

if __name__ == "__main__":
    main()
