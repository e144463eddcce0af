"""``python -m trainer.export``."""

import sys

from trainer.export.export_command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
