"""What a measured difference between two models is worth: measures, their errors, levels of tests. Needs `podium[gate]`."""
