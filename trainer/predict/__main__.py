"""``python -m trainer.predict``."""

import sys

from trainer.predict.score_command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
