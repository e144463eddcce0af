"""The executor of this machine: one killable child process per job."""
