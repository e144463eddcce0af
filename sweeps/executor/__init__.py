"""Where jobs run: `contract`, its tests in `conformance`, and the executors `local`, `in_process` and `stock`."""
