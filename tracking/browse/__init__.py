"""A store as plain data for pages: tables of runs, curves, what is logged from now on, files, models."""
