"""A judgement beside other changes of the registry, and the process that scores."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scored_versions import ROWS, add_version, judge, kinds

from tracking import ChampionChangedError, InvalidValueError, ModelRegistry, Verdict
from tracking.gate.scores_file import read_scores
from tracking.registry import EventKind, KeptVerdict


def test_what_already_is_the_champion_is_not_judged(registry: ModelRegistry) -> None:
    verdict = judge(registry, 1)
    assert verdict.reasons[0] == "version 1 already is the champion"
    assert registry.verdict("ctr", 1) is None


def test_a_champion_that_changes_meanwhile_is_judged_against(
    registry: ModelRegistry, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(registry, store, skill=1.0, own=2)
    add_version(registry, store, skill=1.5, own=3)
    record = ModelRegistry.record_verdict

    def record_late(
        self: ModelRegistry, name: str, number: int, verdict: Verdict, *, scores: bytes | None = None
    ) -> KeptVerdict:
        kept = record(self, name, number, verdict, scores=scores)
        if self.aliases(name)["champion"] == 1:
            self.promote(name, 2, reason="by another sweep")
        return kept

    monkeypatch.setattr(ModelRegistry, "record_verdict", record_late)
    verdict = judge(registry, 3)
    assert verdict.champion is not None
    assert verdict.champion["version"] == 2
    assert registry.verdict("ctr", 3) == verdict


INTERRUPTED = """
import signal, sys
from tracking import ModelRegistry
from tracking.gate import Gate, gate_settings
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
gate = Gate(ModelRegistry(sys.argv[1]), gate_settings({"scorer": "scored_versions.score"}), say=print)
gate.judge("ctr", 2)
"""


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_the_scoring_process_ends_with_the_one_that_asked_it(
    registry: ModelRegistry, store: Path, by: signal.Signals
) -> None:
    add_version(registry, store, fault="hangs")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", INTERRUPTED, str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert b"loads v2" in process.stdout.readline()
    (child,) = wait_for_children(process.pid)
    process.send_signal(by)
    process.communicate()
    wait_for_the_end(child)
    assert kinds(registry) == ["registered", "promoted", "registered"]


def wait_for_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while not (found := children.read_text().split()):
        time.sleep(0.01)
    return [int(each) for each in found]


def wait_for_the_end(pid: int) -> None:
    def is_alive() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    while is_alive():
        time.sleep(0.01)


def test_the_parent_loads_no_library_of_numbers(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2)
    code = INTERRUPTED + "assert not {'numpy', 'scipy', 'torch'} & set(sys.modules)"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code, str(store)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "the gate loads v2 and the champion v1 ...",
        "judging v2 against the champion v1 on 4,000 rows ...",
    ]


def test_two_judgements_of_the_same_give_the_same_bytes_of_scores(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=1.0, own=2)
    file = store / "models" / "ctr" / "v2" / "scores.npz"
    judge(registry, 2)
    before = file.read_bytes()
    judge(registry, 2, alpha=0.04)
    assert file.read_bytes() == before
    assert np.isfinite(read_scores(file)["challenger"]).all()


def test_an_event_says_who_judged(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.0, own=2)
    judge(registry, 2)
    told = [event for event in registry.history("ctr") if event.kind is EventKind.LOOKED]
    assert [(event.by, event.version, event.look) for event in told] == [("me", 2, 1)]


class Rerun(ModuleType):
    """Stands for the part that makes runs again."""

    def __init__(self, *, is_reproduced: bool | None) -> None:
        super().__init__("tracking.rerun")
        self.asked: list[tuple[str, Path]] = []
        self.is_reproduced = is_reproduced

    def standing_rerun(self, _run_id: str, _store: Path) -> None:
        """Return that no result is kept."""

    def rerun(self, run_id: str, store: Path) -> Any:
        self.asked.append((run_id, store))
        if self.is_reproduced is None:
            raise InvalidValueError("its commit is gone")
        return SimpleNamespace(is_reproduced=self.is_reproduced, sentence=f"{run_id} was compared")


@pytest.mark.parametrize("is_reproduced", [True, False, None])
def test_a_run_that_must_be_made_again_is_once_everything_else_passes(
    registry: ModelRegistry, store: Path, monkeypatch: pytest.MonkeyPatch, is_reproduced: bool | None
) -> None:
    add_version(registry, store, skill=1.5, own=2)
    add_version(registry, store, skill=0.6, own=3)
    part = Rerun(is_reproduced=is_reproduced)
    monkeypatch.setitem(sys.modules, "tracking.rerun", part)
    assert not judge(registry, 3, require_rerun=True).promote
    assert part.asked == []
    verdict = judge(registry, 2, require_rerun=True)
    assert part.asked == [("run_002", store)]
    assert verdict.promote is (is_reproduced is True)
    said = "could not be made again: its commit is gone" if is_reproduced is None else "run_002 was compared"
    assert any(said in each for each in verdict.reasons)
    judge(registry, 2, require_rerun=True)
    again = 1 if is_reproduced else 2  # what failed may be mended
    assert len(part.asked) == again
    assert kinds(registry).count("looked") == 2


def test_a_version_that_somebody_has_taken_back_is_not_promoted_again(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=1.5, own=2)
    promoted = judge(registry, 2)
    assert promoted.promote
    registry.rollback("ctr", reason="worse on mobile", by="anna")
    refused = judge(registry, 2)
    assert refused.reasons == ("version 2 was rolled back by anna: worse on mobile; promote it by hand",)
    assert registry.aliases("ctr") == {"champion": 1}
    registry.archive("ctr", 2, reason="of no use")
    assert judge(registry, 2, alpha=0.04).reasons == ("version 2 is archived",)
    assert kinds(registry).count("looked") == 1
    assert registry.verdict("ctr", 2) == promoted


def test_a_scorer_that_reads_from_stdin_finds_nothing(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2, fault="asks")
    assert judge(registry, 2).promote


def test_a_promotion_replaces_the_champion_that_was_judged_or_none(
    registry: ModelRegistry, store: Path
) -> None:
    for own in (2, 3):
        add_version(registry, store, skill=1.5, own=own)
    for instead_of, now in ((2, "version 1, not version 2"), (None, "version 1, not none")):
        with pytest.raises(
            ChampionChangedError, match=f"the champion of 'ctr' is {now}: judge version 3 again"
        ):
            registry.promote("ctr", 3, reason="better", instead_of=instead_of)
    assert kinds(registry).count("promoted") == 1
    registry.promote("ctr", 3, reason="better", instead_of=1)
    registry.promote("ctr", 3, reason="better", instead_of=1)  # it is already
    assert registry.aliases("ctr") == {"champion": 3}
    assert kinds(registry).count("promoted") == 2


def test_a_comparison_that_fails_has_spent_its_look_and_says_so(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2, fault="dies later")
    verdict = judge(registry, 2, rules={"not_worse": {"latency_p95": "50%"}})
    assert not verdict.promote
    assert verdict.reasons[0] == "the two versions could not be compared: its process ended with exit code 6"
    assert verdict.facts["look"]["number"] == 1
    assert kinds(registry)[-2:] == ["looked", "refused"]


@pytest.mark.parametrize("asked", [{"alpha": 0.9}, {"looks": 2}, {"alpha": 0.9, "looks": 10}])
def test_a_level_cannot_be_bought_after_the_first_look(
    registry: ModelRegistry, store: Path, asked: dict[str, Any]
) -> None:
    judge(registry, add_version(registry, store, skill=0.6, own=2).version)
    late = add_version(registry, store, skill=1.5, own=3).version
    refused = judge(registry, late, **asked)
    assert not refused.promote
    assert refused.reasons[0].startswith(
        "the looks at these rows are counted with alpha 0.05 and no plan since 20"
    )
    assert refused.reasons[0].endswith("as asked; judge by new rows to change them")
    assert refused.facts["look"] is None
    assert refused.facts["split"]["rows"] == ROWS
    assert kinds(registry).count("looked") == 1
    found = judge(registry, late)
    assert found.promote
    assert found.facts["look"]["number"] == 2


def test_rows_of_a_file_that_decided_before_go_on_being_counted_and_the_verdict_says_it(
    registry: ModelRegistry, store: Path, tmp_path: Path
) -> None:
    def judged_by(rows: list[int]) -> Verdict:
        (tmp_path / "rows.txt").write_text("\n".join(map(str, rows)))
        return judge(registry, 2, split=str(tmp_path / "rows.txt"))

    add_version(registry, store, skill=0.6, own=2)
    first = judged_by([*range(1000)])
    assert judged_by([*reversed(range(1000))]) == first, "the same rows in another order"
    less = judged_by([*range(1, 1000)])
    assert less.facts["look"] | {"level": None} == {
        "number": 2, "alpha": 0.05, "level": None, "planned": None, "of": first.facts["split"]["hash"], "overlap": 1.0,
        "splits": 1,
    }  # fmt: skip
    told = f"100% of these rows were looked at before, as rows of the split {first.facts['split']['hash'][:12]}: "
    assert any(each.startswith(told) for each in less.reasons)
    assert judged_by([*range(500, 1500)]).facts["look"]["number"] == 3
    new = judged_by([*range(2000, 3000)])
    assert new.facts["look"]["number"] == 1
    assert not any("looked at before" in each for each in new.reasons)
    assert "row_hash" not in new.facts["split"]
