"""The executor on this machine: one killable child process per job."""
