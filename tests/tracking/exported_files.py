"""The files of an exported version, and how one who changes them makes the sums fit again."""

import hashlib
from pathlib import Path


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of each file by its name in the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def sum_again(folder: Path) -> None:
    """Write SHA256SUMS of the files as they are now."""
    names = sorted(name for name in files_of(folder) if name != "SHA256SUMS")
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))
