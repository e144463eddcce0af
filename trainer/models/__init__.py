"""Models: what the configs build by name, and what turns any nn.Module into something the loop can run."""
