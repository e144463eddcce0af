"""``python -m trainer.draw``."""

import sys

from hydra_plugins.podium.packages import load_own

load_own("tracking")  # the current folder may hold a module of that name
from trainer.draw.draw_command import main  # noqa: E402 - it imports the tracker

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
