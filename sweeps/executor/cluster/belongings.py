"""What a job on a node finds around it: the program's own as where the sweep was started, and the node's what is the machine's.

A job runs the program's script again, so its arguments, its folder and most of its environment are those that the script had. The
search path of programs and libraries, temporary folders, devices and the like belong to the machine where it runs. What
a batch system says of an allocation is for the node alone: a library that finds it in a job believes that the allocation is
the job's.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sweeps.executor.local.forkserver import Preparation
from sweeps.executor.local.slots import THREAD_VARIABLES
from sweeps.plan.by_reference import PATH

OF_THE_MACHINE = frozenset(
    {
        *("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "LIBRARY_PATH", "MANPATH", "VIRTUAL_ENV", "PYTHONHOME"),
        *(
            "HOME",
            "USER",
            "LOGNAME",
            "SHELL",
            "HOSTNAME",
            "PWD",
            "OLDPWD",
            "TMPDIR",
            "TMP",
            "TEMP",
            "DISPLAY",
        ),
        *("DBUS_SESSION_BUS_ADDRESS", "XAUTHORITY", "_"),
    }
)
OF_THE_MACHINE_FROM = (
    *(
        "CONDA_",
        "CUDA_",
        "NVIDIA_",
        "ROCR_",
        "HIP_",
        "ROCM_",
        "XDG_",
        "SSH_",
        "KUBERNETES_",
        "LMOD_",
        "MODULE",
    ),
)
OF_AN_ALLOCATION_FROM = (
    *("SLURM_", "SLURMD_", "SBATCH_", "SRUN_", "SALLOC_", "PBS_", "LSB_", "LSF_", "SGE_", "COBALT_", "FLUX_"),
    *("PMI_", "PMIX_", "PALS_", "OMPI_", "MPI_", "MV2_", "HYDRA_CONTROL_"),
)
# What Ray sets for its own workers, such as the token of a cluster; a job that uses Ray has what the script had.
OF_AN_ENGINE_FROM = ("RAY_", "PYTHONBREAKPOINT")


def environment(of_script: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of jobs on this machine, from that in which the script started and that of this process.

    Where both have a variable, it is the script's, except what belongs to the machine. Limits of threads are the script's alone:
    an engine sets some for its own workers.
    """
    own = {
        name: value
        for name, value in here.items()
        if name not in THREAD_VARIABLES and not name.startswith(OF_AN_ENGINE_FROM)
    }
    taken = {name: value for name, value in of_script.items() if not _is_of_the_machine(name)}
    return {
        name: value for name, value in {**own, **taken}.items() if not name.startswith(OF_AN_ALLOCATION_FROM)
    }


def fitted(preparation: Preparation, here: Mapping[str, str]) -> Preparation:
    """Return a preparation of the sweep's process as it holds on this machine.

    Modules are searched where that process does, and then where this one does.
    """
    path = [*preparation.path, *(each for each in sys.path if each and each not in preparation.path)]
    start = preparation.start
    variables = environment(start.surroundings.environment, here)
    surroundings = start.surroundings._replace(environment=variables)
    return replace(preparation, path=path, start=start._replace(surroundings=surroundings))


def why_not_runnable(preparation: Preparation) -> str | None:
    """Return what the program of a sweep lacks on this machine; None if that is nothing."""
    for folder in (preparation.folder, preparation.start.surroundings.folder):
        if not Path(folder).is_dir():
            return f"it has no folder {folder}, in which the sweep was started"
    script = preparation.start.script.get(PATH)
    if script is not None and not Path(script).is_file():
        return f"it has no file {script}, the program of the sweep"
    return None


def enter(preparation: Preparation) -> None:
    """Give this process the folder and the environment of jobs, which the processes that it starts inherit."""
    os.chdir(preparation.folder)
    variables = preparation.start.surroundings.environment
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


def _is_of_the_machine(name: str) -> bool:
    return name in OF_THE_MACHINE or name.startswith(OF_THE_MACHINE_FROM)
