"""Where jobs run: `contract`, its tests in `conformance`, and the executors `local`, `cluster`, `in_process` and `stock`."""
