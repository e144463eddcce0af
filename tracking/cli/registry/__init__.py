"""Commands that change registered models, and those that show one version in full."""
