"""`verdict` warns where the file that it shows is not the one that the history names."""

import json
from pathlib import Path

import pytest
from command_line import Say
from verdicts_made import scored

from tracking import ModelRegistry, Verdict
from tracking.files.atomic import sha256

REFUSED = Verdict(False, "v1 is not promoted: no gain.", ("no gain",), "scores", {"scores": "scores.npz"})


@pytest.fixture
def folder(models: ModelRegistry) -> Path:
    """Return the folder of a version that was refused, as the history says."""
    digest = models.record_verdict("ctr", 1, REFUSED, scores=b"scores").sha256
    models.refuse("ctr", 1, reason=REFUSED.sentence, verdict=digest)
    return models.version("ctr", 1).path


def promote(file: Path) -> None:
    """Write into a verdict that it promoted."""
    file.write_text(json.dumps({**json.loads(file.read_text()), "promote": True}))


@pytest.mark.parametrize("shape", [[], ["--json"]])
@pytest.mark.parametrize("changed", [["verdict.json"], ["verdict.json", "verdicts/001.json"]])
def test_a_verdict_that_was_changed_is_shown_with_a_warning(
    folder: Path, say: Say, changed: list[str], shape: list[str]
) -> None:
    for name in changed:
        promote(folder / name)
    code, out, err = say("verdict", "ctr@1", *shape)
    assert code == 0
    assert out
    assert "verdict.json was changed after it was written" in err
    assert "verify ctr@1" in err


def test_a_kept_verdict_that_was_changed_is_shown_with_a_warning(folder: Path, say: Say) -> None:
    promote(folder / "verdicts" / "001.json")
    assert "001.json was changed after it was written" in say("verdict", "ctr@1", "--number", "1")[2]
    assert say("verdict", "ctr@1")[2] == ""  # verdict.json is as it was written


def test_a_verdict_as_it_was_written_is_shown_without_a_warning(
    folder: Path, models: ModelRegistry, say: Say
) -> None:
    assert say("verdict", "ctr@1")[2] == ""
    assert say("verdict", "ctr@1", "--number", "1")[2] == ""
    (folder / "verdict.json").unlink()  # what is kept is shown
    assert say("verdict", "ctr@1")[2] == ""
    # a judgement that was killed before the history noted it
    other = Verdict(False, "v1 is not promoted: a loss.", ("a loss",), "scores", {"scores": "scores.npz"})
    late = models.record_verdict("ctr", 1, other, scores=b"others")
    assert late.sha256 == sha256(folder / "verdict.json")
    assert say("verdict", "ctr@1")[2] == ""


COMMANDS = (
    ("verdict", "ctr@1"),
    ("verdict", "ctr@1", "--json"),
    ("verdict", "ctr@1", "--all"),
    ("verify", "ctr"),
    ("history", "ctr"),
    ("lineage", "ctr@1"),
    ("models",),
)
OTHERS = (
    None,
    True,
    3,
    -0.5,
    "words",
    [],
    [1, [2]],
    {"version": [1], "hash": {"a": 1}, "number": 1, "metric": {}},
)


@pytest.mark.parametrize("key", sorted({*scored(), "key", "settings", "pictures"}))
def test_whatever_a_verdict_holds_commands_show_it_or_name_the_file(folder: Path, say: Say, key: str) -> None:
    manifest = sha256(folder / "manifest.json")
    for other in OTHERS:
        changed = {**scored(), key: other}
        if isinstance(changed["challenger"], dict):
            changed["challenger"] = {**changed["challenger"], "manifest_sha256": manifest}
        for file in ("verdict.json", "verdicts/001.json"):
            (folder / file).write_text(json.dumps(changed))
        for command in COMMANDS:
            code, out, err = say(*command)
            assert code in (0, 1), (command, other)
            assert "Traceback" not in out + err
            assert code == 0 or "verdict" in out + err, (command, other)
