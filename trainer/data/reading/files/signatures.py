"""What bytes are, by how they begin: how they are compressed, and what to do with those that are no table of text."""

import re
from typing import NamedTuple

START = 4096  # bytes looked at
PARQUET, ARROW, WORKBOOK, OLD_WORKBOOK = ("Parquet", "Arrow", "an Excel workbook", "an old Excel workbook")
GZIP, BZIP2, XZ, ZSTD, ZIP = "gzip", "bzip2", "xz", "zstd", "a zip archive"
LONGEST = 10  # bytes of a mark of compression
_COMPRESSED = (
    (re.compile(rb"\x1f\x8b"), GZIP),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), BZIP2),  # three letters may begin a text
    (re.compile(rb"\xfd7zXZ\0"), XZ),
    (re.compile(rb"\x28\xb5\x2f\xfd"), ZSTD),
    (re.compile(rb"PK(\x03\x04|\x05\x06)"), ZIP),
)
_MARKS = (
    (b"%PDF", "a PDF", "export its table as CSV"),
    (b"PAR1", PARQUET, "name it .parquet"),
    (b"ARROW1", ARROW, "name it .arrow"),
    (b"FEA1", "Feather of version 1", "write it again with pandas.DataFrame.to_feather"),
    (b"PK\x03\x04", WORKBOOK, "name it .xlsx"),
    (b"\xd0\xcf\x11\xe0", OLD_WORKBOOK, "name it .xls"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!", "a rar archive", "unpack it"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"\x89HDF", "HDF5", "write its table as Parquet"),
    (b"\x93NUMPY", "a numpy array", "write it as CSV or Parquet"),
    (b"\x80\x04\x95", "a pickle", "write its table as Parquet"),
    (b"\x80\x05\x95", "a pickle", "write its table as Parquet"),
    (b"ORC", "ORC", "write it as Parquet"),
    (b"Obj\x01", "Avro", "write it as Parquet"),
    (b"<stata_dta>", "a Stata file", "write it as CSV or Parquet, for example with pandas.read_stata"),
    (b"$FL2", "an SPSS file", "write it as CSV or Parquet, for example with pandas.read_spss"),
    (b"\x89PNG", "an image", ""),
    (b"\xff\xd8\xff", "an image", ""),
    (b"GIF8", "an image", ""),
)  # fmt: skip
_HTML = (b"<!doctype", b"<html", b"<?xml", b"<table")
_JSON = rb'\{\s*("[^"]*"\s*:|\})|\[\s*(\{\s*"|\[|\])'
_ARFF = re.compile(rb"(%[^\n]*\n|\s)*@relation\s", re.IGNORECASE)


class What(NamedTuple):
    """What bytes are, and what to do; both as parts of a sentence."""

    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}" if self.advice else self.what


def compression(start: bytes) -> str | None:
    """Return how bytes are compressed; a workbook is a zip archive, too. None for plain ones."""
    return next((kind for mark, kind in _COMPRESSED if mark.match(start)), None)


def found(sample: bytes) -> What | None:
    """Return what bytes are that are no table of text; None for text, and for what is not known."""
    for mark, what, advice in _MARKS:
        if sample.startswith(mark):
            return What(what, advice)
    if sample[257:262] == b"ustar":
        return What("a tar archive", "unpack it")
    start = sample[:START].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.lower().startswith(_HTML):
        return What("HTML or XML", "a page that asks for a login is often saved in the place of a file")
    if start[:1] in (b"{", b"[") and re.match(_JSON, start):
        return What(
            "JSON", "write it as CSV or Parquet, for example with pandas.read_json(...).to_parquet(...)"
        )
    if _ARFF.match(start):
        return What("ARFF", "write it as CSV, for example with scipy.io.arff.loadarff")
    return None


def is_text(sample: bytes) -> bool:
    """Whether bytes may be text: they have no control characters but those of lines and tabs."""
    return bool(sample) and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", sample[:START])
