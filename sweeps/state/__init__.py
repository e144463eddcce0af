"""The folder of a sweep: its lock, its ledger, and what a resume takes from them."""
