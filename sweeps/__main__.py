"""`python -m sweeps`."""

import sys

from sweeps.cli.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
