"""Points become jobs: the frozen plan, and the config of each job."""
