"""A program whose sweep runs on nodes of this machine, without a cluster: python -m benchmarks.engines.on_processes PLACES PROGRAM [ARGUMENT...]"""

import sys

from benchmarks.engines.simulated import run_on
from sweeps.executor.engines.processes import Place, ProcessEngine

if __name__ == "__main__":
    run_on(lambda: ProcessEngine(Place("only", int(sys.argv[1]))), sys.argv[2:])
