"""Runs that W&B recorded offline, read without wandb."""
