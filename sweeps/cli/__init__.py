"""The command line ``python -m sweeps``: a thin layer over `sweeps.ranking.status` and `sweeps.ranking.aggregate`."""

from sweeps.cli.app import main

__all__ = ["main"]
