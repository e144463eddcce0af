"""`python -m sweeps`."""

import sys

try:
    from sweeps.cli.app import main
except ImportError:
    from hydra_plugins.podium.packages import hidden

    message = hidden("tracking")
    if message is None:
        raise
    sys.exit(f"sweeps: {message}")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
