"""One job: its run, and a training function of the user in the place of ours."""
