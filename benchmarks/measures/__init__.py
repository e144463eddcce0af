"""The benchmarks. Each is a function of the plan that returns what was done, and its figures."""
