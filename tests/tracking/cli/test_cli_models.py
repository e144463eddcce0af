"""Commands about versions of models: verdict, lineage, compare, verify, archive, export, import."""

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_line import Say

from tracking import ModelRegistry, Verdict
from tracking.files.atomic import sha256
from tracking.paths import ModelPaths, StorePaths
from tracking.registry import EventKind
from tracking.registry.events import add_event
from tracking.rerun.result import Likeness, RerunResult, keep

ROOT = Path(__file__).parents[3]


def side(number: int, value: float) -> dict[str, Any]:
    return {
        "name": "ctr",
        "version": number,
        "run_id": f"run_00{number}",
        "objective": {"metric": "val_auc", "mode": "max", "value": value},
        "metrics": {"val_auc": value},
        "fingerprint": "sha256:1",
        "manifest_sha256": "ab12cd34ef56" * 5,
    }


def rule(kind: str, measure: str, *, passes: bool, **more: Any) -> dict[str, Any]:
    return {
        "rule": kind,
        "measure": measure,
        "slice": None,
        "asked": "> 0",
        "challenger": 0.914,
        "champion": 0.9119,
        "gain": 0.0021,
        "low": -0.0008,
        "high": 0.005,
        "margin": 0.0,
        "level": 0.0127,
        "p": 0.021,
        "adjusted_p": None,
        "rows": 8141,
        "passes": passes,
        "reason": "a sentence",
        **more,
    }


REFUSED = Verdict(
    promote=False,
    sentence="Version 2 is not promoted: its gain in auc over version 1 may be below 0.",
    reasons=("superiority: the gain is 0.0021, and at least -0.0008; above 0 is asked",),
    basis="scores",
    facts={
        "at": "2026-11-30T12:00:00+00:00",
        "by": "sweep adult",
        "took_s": 3.217,
        "versions": {"podium": "0.2.0", "numpy": "2.1.0"},
        "challenger": side(2, 0.83),
        "champion": side(1, 0.81),
        "split": {
            "name": "half of the test rows",
            "hash": "sha256:0123456789abcdef",
            "rows": 8141,
            "classes": {"no": 6200, "yes": 1941},
            "clusters": None,
        },
        "look": {"number": 2, "alpha": 0.05, "level": 0.0076, "planned": None},
        "rules": [
            rule("superiority", "auc", passes=False),
            rule("not_worse", "log_loss", passes=True, adjusted_p=0.002, asked="> -0.01"),
            rule("slice", "auc", passes=True, slice=["sex", "Female"], rows=2700),
        ],
        "differences": [
            {"measure": "auc", "gain": 0.0021, "error": 0.0012, "method": "delong", "draws": None},
            {
                "measure": "log_loss",
                "gain": -0.01,
                "error": 0.001,
                "method": "bootstrap",
                "draws": 2000,
                "seed": [0],
            },
        ],
        "power": {"detectable": 0.0041, "power": 0.8, "further_rows": 4000},
        "selection": {"jobs": 16, "metric": "val_auc", "selected_at": 0.83, "overestimated_by": 0.0039},
        "pictures": {},
        "scores": "scores.npz",
        "scores_sha256": "ffee" * 16,
    },
)


def test_a_verdict_says_its_decision_its_rules_and_what_they_rest_on(models: ModelRegistry, say: Say) -> None:
    models.record_verdict("ctr", 2, REFUSED)
    code, out, err = say("verdict", "ctr")
    assert (code, err) == (0, "")
    for line in (
        "NOT PROMOTED: ctr, version 2",
        REFUSED.sentence,
        f"- {REFUSED.reasons[0]}",
        "Judged: 2026-11-30T12:00:00+00:00, by sweep adult, in 3.22 s",
        "Challenger: version 2, run run_002, val_auc 0.8300, manifest sha256:ab12cd34ef56",
        "Champion: version 1, run run_001, val_auc 0.8100, manifest sha256:ab12cd34ef56",
        "Rows: half of the test rows: 8,141 rows, 6,200 are no and 1,941 are yes (0123456789ab)",
        "Look: look 2 at these rows, judged at 0.76 % so that all looks together stay at 5 %",
        "Power: a true gain of 0.0041 is seen 8 times in 10 with these rows at this look; about 4,000 further rows would "
        "tell a gain of the size that was seen",
        "Choice: chosen as the best of 16 jobs by val_auc, 0.8300",
        "Predictions: scores.npz, beside verdict.json, sha256:ffeeffeeffee",
        "log_loss  -0.01   0.001   bootstrap   2000  [0]",
    ):
        assert line in out.splitlines(), out
    assert "auc better                         no      0.0021  -0.0008   > 0" in out
    assert "auc not worse where sex is Female  yes     0.0021" in out
    told = json.loads(say("verdict", "ctr@champion", "--json")[1])
    assert (told["name"], told["version"], told["promote"]) == ("ctr", 2, False)
    assert told["rules"] == REFUSED.facts["rules"]


def test_a_verdict_fits_on_a_terminal_of_80_columns(models: ModelRegistry, store: Path) -> None:
    models.record_verdict("ctr", 2, REFUSED)
    parent, child = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = {
        **os.environ,
        "PODIUM_STORE": str(store),
        "NO_COLOR": "1",
        "TERM": "dumb",
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("COLUMNS", None)
    command = [sys.executable, "-m", "tracking", "verdict", "ctr"]
    with subprocess.Popen(command, stdout=child, stderr=child, env=environment, cwd=store.parent) as process:
        os.close(child)
        data = b""
        while True:
            try:
                part = os.read(parent, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            data += part
        assert process.wait() == 0
    os.close(parent)
    lines = data.decode().replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80, lines
    start = lines.index("Rules:")
    assert lines[start + 1 : start + 4] == [
        "fails   auc better; asked: > 0",
        "        gain 0.0021, at least -0.0008, p 0.021, champion 0.9119,",
        "        challenger 0.9140, level 1.3 %, rows 8141",
    ]
    assert lines[start + 4] == "passes  log_loss not worse; asked: > -0.01"


def test_a_verdict_of_the_first_format_and_a_sparse_one_are_shown(models: ModelRegistry, say: Say) -> None:
    path = models.version("ctr", 1).path / "verdict.json"
    old = {
        "format": 1,
        "promote": True,
        "reasons": ["the first"],
        "challenger": side(1, 0.81),
        "champion": None,
    }
    path.write_text(json.dumps(old))
    _, out, _ = say("verdict", "ctr")
    assert "PROMOTED: ctr, version 1" in out
    assert "Promoted: the first." in out
    assert "Basis: there was no champion, so the absolute rules alone decided" in out
    assert "Rules:" not in out
    odd = {
        "look": 3,
        "split": [],
        "rules": [7, {"rule": "rows", "passes": []}],
        "power": "x",
        "versions": None,
    }
    models.record_verdict("ctr", 2, Verdict(False, "No.", ("No.",), "odd", odd))
    code, out, err = say("verdict", "ctr", "2")
    assert (code, err) == (0, "")
    assert "Basis: odd" in out


def test_the_newest_version_that_was_judged_is_meant_by_the_name(models: ModelRegistry, say: Say) -> None:
    models.record_verdict("ctr", 1, Verdict(True, "Promoted.", ("x",), "first"))
    assert "PROMOTED: ctr, version 1" in say("verdict", "ctr")[1]
    models.record_verdict("ctr", 2, REFUSED)
    assert "NOT PROMOTED: ctr, version 2" in say("verdict", "ctr")[1]


def test_a_lineage_is_shown_both_ways(models: ModelRegistry, say: Say) -> None:
    models.record_verdict("ctr", 2, REFUSED)
    code, out, err = say("lineage", "ctr@champion")
    assert (code, err) == (0, "")
    for expected in (
        "ctr, version 2",
        "Run: run_002",
        "Objective: test_auc 0.8300 (max)",
        REFUSED.sentence,
        "Commit: ",
    ):
        assert expected in out
    out = say("lineage", "run_001")[1]
    assert "ctr, version 1:" in out
    assert "(promoted 2): better" in out
    assert "No version of a model was registered from it." in say("lineage", "run_003")[1]


def test_a_lineage_tells_what_making_the_run_again_has_shown(
    models: ModelRegistry, store: Path, say: Say
) -> None:
    assert "Made again" not in say("lineage", "ctr@2")[1]
    result = RerunResult(
        "run_002", "run_007", Likeness.WITHIN_NOISE, "the same", datetime(2026, 1, 31, tzinfo=UTC), "ann", 1.5
    )
    keep(StorePaths(store).run("run_002"), result)
    line = "  2026-01-31 as run_007, within noise: the same."
    for what in ("ctr@champion", "run_002"):
        assert line in say("lineage", what)[1].splitlines()
        (told,) = json.loads(say("lineage", what, "--json")[1])["reruns"]
        assert RerunResult.from_json(told) == result
    assert "Made again" not in say("lineage", "ctr@1")[1]


def test_two_versions_are_compared_by_the_command_that_compares_runs(models: ModelRegistry, say: Say) -> None:
    code, out, err = say("compare", "ctr@1", "champion")
    assert (code, err) == (0, "")
    assert "ctr@1 and ctr@2" in out
    assert "learning_rate  0.1    0.01" in out
    assert say("compare", "ctr@2", "ctr@2")[1].endswith("All that is recorded of them is equal.\n")
    assert say("compare", "ctr", "2")[1].endswith("All that is recorded of them is equal.\n")


def test_verify_tells_by_its_exit_code(models: ModelRegistry, store: Path, say: Say) -> None:
    code, out, err = say("verify")
    assert (code, err) == (0, "")
    assert "ctr@1 1 7 bytes intact" in " ".join(out.split())
    (store / "models" / "ctr" / "v1" / "model_best.pt").write_bytes(b"other")
    code, out, err = say("verify", "ctr")
    assert code == 1
    assert "ctr@1 1 5 bytes damaged" in " ".join(out.split())
    assert "ctr@1: " in err
    assert "is not the file that was registered" in err
    assert say("verify", "ctr@2")[0] == 0
    assert json.loads(say("verify", "--json")[1])[0]["is_intact"] is False


def test_an_archived_version_is_shown_when_it_is_asked_for(models: ModelRegistry, say: Say) -> None:
    assert say("archive", "ctr@1", "--why", "old") == (0, "Version 1 of ctr is archived.\n", "")
    assert "run_001" not in say("models", "ctr")[1]
    assert "run_001" in say("models", "ctr", "--archived")[1]
    assert "(archived)" in say("models", "ctr", "--archived")[1]
    assert "archived" in say("history", "ctr")[1]
    assert "version 1 of 'ctr' is archived" in say("rollback", "ctr", "--to", "1", "--why", "x")[2]
    assert say("unarchive", "ctr", "1") == (0, "Version 1 of ctr is in use again.\n", "")
    assert (
        say("rollback", "ctr", "--to", "ctr@1", "--why", "x")[1]
        == "The champion of ctr is version 1 again.\n"
    )


def test_a_version_goes_out_and_into_another_store(
    models: ModelRegistry, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert say("export", "ctr@champion")[1] == "Exported version 2 of ctr to ctr-v2\n"
    assert say("export", "ctr@champion")[::2] == (
        2,
        "tracking: 'ctr-v2' exists; name a new folder, or a new file that ends in .tar.gz\n",
    )
    assert "is for a version of a model; write NAME@WHICH" in say("export", "ctr", "-o", "one.tgz")[2]
    assert say("export", "ctr@1", "-o", "one.tgz")[0] == 0
    other = ["--store", str(tmp_path / "other")]
    assert say("import", "one.tgz", *other)[1] == "ctr has it as version 1; it is not the champion.\n"
    assert say("import", "ctr-v2", *other)[1] == "ctr has it as version 2; it is not the champion.\n"
    assert say("import", "ctr-v2", *other)[1] == "ctr has it as version 2; it is not the champion.\n"
    assert say("import", "ctr-v2", "--as", "mine", *other)[1].startswith("mine has it as version 1")
    assert say("import", "ctr-v2", "--max-size", "10", *other)[0] == 1
    assert say("import", "ctr-v2")[1] == "ctr has it as version 2, its champion.\n"
    assert say("verify", *other)[0] == 0
    assert "Imported: as version 2 of ctr" in say("lineage", "mine@1", *other)[1]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["promote", "ctr@"], {"ctr@champion", "ctr@1", "ctr@2"}),
        (["lineage", "ctr@c"], {"ctr@champion"}),
        (["compare", "ctr@1", "ctr@2"], {"ctr@2"}),
        (["export", "ctr@"], {"ctr@champion", "ctr@1", "ctr@2"}),
        (["rollback", "ctr", "--to", "ctr@"], {"ctr@champion", "ctr@1", "ctr@2"}),
        (["verify", ""], {"ctr"}),
        (["verdict", "nope@"], set()),
    ],
)
def test_names_of_versions_are_completed(
    models: ModelRegistry, say: Say, words: list[str], found: set[str]
) -> None:
    assert set(say("--complete", *words)[1].split()) == found


def test_all_verdicts_on_a_version_are_listed_and_each_is_shown(models: ModelRegistry, say: Say) -> None:
    models.record_verdict("ctr", 2, REFUSED)
    models.record_verdict("ctr", 2, Verdict(False, "The scorer could not be imported.", ("x",), "scores"))
    code, out, err = say("verdict", "ctr@2", "--all")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["1", "yes", "not", "promoted", "2", "2026-11-30", "Version"] in [row[:7] for row in rows]
    assert ["2", "no", "not", "promoted"] in [row[:4] for row in rows]
    told = json.loads(say("verdict", "ctr@2", "--all", "--json")[1])
    assert [(each["number"], each["counts"]) for each in told["verdicts"]] == [(1, True), (2, False)]
    assert REFUSED.sentence in say("verdict", "ctr@2")[1]
    assert "could not be imported" in say("verdict", "ctr@2", "--number", "2")[1]
    assert "Predictions: verdicts/001.npz" in say("verdict", "ctr@2", "--number", "1")[1]
    code, _, err = say("verdict", "ctr@2", "--number", "3")
    assert code == 1
    assert "version 2 of 'ctr' has no verdict 3; it has 1, 2" in err
    assert "give --all or --number" in say("verdict", "ctr@2", "--number", "1", "--all")[2]
    assert "has not judged version 1" in say("verdict", "ctr@1", "--all")[2]


def test_the_verdict_of_another_store_is_said_to_be_one(
    models: ModelRegistry, tmp_path: Path, say: Say
) -> None:
    models.record_verdict("ctr", 2, Verdict(True, "v2 of ctr is promoted over v1.", ("x",), "scores"))
    models.record_verdict("ctr", 1, Verdict(True, "v1 of ctr is promoted.", ("x",), "first"))
    other = ModelRegistry(tmp_path / "other")
    version = other.import_version(models.export("ctr@2", tmp_path / "ctr.tar.gz"))
    assert version.version == 1
    place = ("--store", str(tmp_path / "other"))
    foreign = "This is the verdict of another store, on its version 2 of ctr"
    assert foreign in say("verdict", "ctr@1", *place)[1]
    assert foreign not in say("verdict", "ctr@2")[1]
    challenger = {"version": 1, "manifest_sha256": sha256(version.path / "manifest.json")}
    ours = Verdict(True, "Ours.", ("x",), "first", {"challenger": challenger})
    other.record_verdict("ctr", 1, ours)
    assert foreign not in say("verdict", "ctr@1", *place)[1]


def test_a_promotion_by_hand_says_why_and_is_recorded_once(models: ModelRegistry, say: Say) -> None:
    code, _, err = say("promote", "ctr@1")
    assert code == 2
    assert "say why with --why" in err
    assert say("promote", "ctr@1", "--why", "checked")[1] == "The champion of ctr is version 1.\n"
    before = models.history("ctr")
    code, out, _ = say("promote", "ctr@1", "--why", "checked again")
    assert (code, out) == (0, "Version 1 already is the champion of ctr; nothing was recorded.\n")
    assert models.history("ctr") == before


@pytest.mark.parametrize("alias", ["v2", "V2", "v0", "7"])
def test_an_alias_that_reads_like_a_version_is_refused(models: ModelRegistry, say: Say, alias: str) -> None:
    code, _, err = say("alias", "ctr@1", alias)
    assert code == 2
    assert f"alias '{alias}' reads like" in err
    assert alias not in models.aliases("ctr")


def test_an_old_alias_that_reads_like_a_version_hides_none(
    models: ModelRegistry, store: Path, say: Say
) -> None:
    add_event(ModelPaths(store / "models" / "ctr"), EventKind.ALIASED, 1, reason="", by=None, alias="v2")
    assert models.aliases("ctr")["v2"] == 1
    assert models.find("ctr@v2").version == 2
    assert say("alias", "ctr", "v2", "--remove")[0] == 0
    assert "v2" not in models.aliases("ctr")
