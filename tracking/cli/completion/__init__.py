"""Completion in shells: the words that may follow, and the scripts that ask for them."""
