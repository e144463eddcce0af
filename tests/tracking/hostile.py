"""Names that would leave their folder, or are no names."""

HOSTILE_NAMES = (
    "",
    ".",
    "..",
    "../x",
    "../../x",
    "/etc/x",
    "a/../../b",
    "a\\b",
    "a\0b",
    "a\nb",
    ".hidden",
    " x",
    "x" * 300,
)
