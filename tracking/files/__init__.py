"""Bytes on disk: whole files replaced at once, JSON lines appended, locks and folders."""

from tracking.files.append import append_line, append_lines, read_lines
from tracking.files.atomic import filling, read_json, write_bytes, write_json
from tracking.files.folders import claim_dir
from tracking.files.locks import try_lock
from tracking.files.regular import open_file, open_handle, refuse_link

__all__ = [
    "append_line",
    "append_lines",
    "claim_dir",
    "filling",
    "open_file",
    "open_handle",
    "read_json",
    "read_lines",
    "refuse_link",
    "try_lock",
    "write_bytes",
    "write_json",
]
