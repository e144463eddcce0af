"""Adapters that let other programs log here."""
