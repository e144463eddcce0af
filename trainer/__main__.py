"""``python -m trainer``."""

import sys

try:
    from trainer.app import main
except ImportError:
    from hydra_plugins.podium.packages import hidden

    message = hidden("tracking")
    if message is None:
        raise
    sys.exit(f"error: {message}")

if __name__ == "__main__":
    main()
