"""The command line ``python -m sweeps``: a thin layer over `sweeps.standing` and `sweeps.aggregate`."""

from sweeps.cli.app import main

__all__ = ["main"]
