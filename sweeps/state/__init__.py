"""The state of a sweep on disk: its lock, its ledger, and what a resumed sweep keeps."""
