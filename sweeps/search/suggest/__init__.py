"""Suggesters: which point is tried next, given what was heard so far."""
