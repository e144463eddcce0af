"""Versions of models that leave a store, and versions that come from another one."""
