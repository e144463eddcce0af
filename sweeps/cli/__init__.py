"""The command line ``python -m sweeps``: a thin layer over `sweeps.aggregate` and the sweep folders."""

from sweeps.cli.app import main

__all__ = ["main"]
