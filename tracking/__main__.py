"""`python -m tracking`."""

import sys

from tracking.cli.app import main

sys.exit(main(sys.argv[1:]))
