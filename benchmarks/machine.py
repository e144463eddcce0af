"""The facts of a measurement: the machine, the versions, and the load."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from benchmarks.contestants import ROOT, Module


def facts(folder: Path) -> dict[str, str]:
    """Return what a reader must know to compare; `folder` is where the stores are."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": _output("date", "+%Y-%m-%d %H:%M %z"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "file system": f"{_output('stat', '-f', '-c', '%T', str(folder)).replace('ext2/ext3', 'ext4')} (the stores)",
        "system": f"{platform.system()} {platform.release()}",
        "load average at the start": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "commit": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        **{package: metadata.version(package) for package in ("orjson", "pandas")},
        **{module.value: module.version for module in Module if module.version},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
