"""`python -m trainer.predict` as a command: what it is told, what it refuses, and how it ends."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import own_models
import pandas as pd
import pytest
from saved_models import customers, save

from tracking import ExperimentTracker, ModelRegistry
from trainer.errors import DataError
from trainer.predict import scored_file
from trainer.predict.score_command import KEYS, main
from trainer.saved_model import load_model

ROOT = Path(__file__).parents[3]
Say = Callable[..., tuple[int, str, str]]


def test_bad_values_are_named_by_their_rows_and_nothing_is_written(
    models: Path, new: Path, tmp_path: Path, say: Say
) -> None:
    rows = customers(50, seed=1)
    rows.loc[[3, 7], "total"] = "many"
    rows.loc[[7, 8, 9, 11, 12], "since"] = "soon"
    rows.to_csv(new, index=False)
    out = tmp_path / "s.csv"
    out.write_text("kept")
    code, _, err = say(model=models / "binary", input=new, output=out)
    assert code == 1
    assert err == (
        f"error: data file {str(new)!r}: 7 values are not of the column's kind; bad_rows=missing takes such as missing\n"
        "  column 'total' is used as numeric but holds 'many' in row 4\n"
        "  column 'since' is used as times but holds 'soon' in row 8\n"
        "  column 'total' is used as numeric but holds 'many' in row 8\n"
        "  column 'since' is used as times but holds 'soon' in row 9\n"
        "  column 'since' is used as times but holds 'soon' in row 10\n"
        "  and 2 more\n"
    )
    assert out.read_text() == "kept"
    assert {each.name for each in tmp_path.iterdir()} == {"new.csv", "s.csv"}

    code, _, err = say(model=models / "binary", input=new, output=out, bad_rows="missing")
    assert (code, err) == (0, "warning: 7 values are not of the column's kind, and taken as missing\n")
    assert len(pd.read_csv(out)) == 50


def test_infinite_values_are_said(models: Path, tmp_path: Path, say: Say) -> None:
    rows = customers(30, seed=1)
    rows["visits"] = [float("inf"), float("-inf"), *rows["visits"][2:]]
    rows.to_csv(tmp_path / "new.csv", index=False)
    code, _, err = say(model=models / "binary", input=tmp_path / "new.csv", output=tmp_path / "s.csv")
    assert (code, err) == (0, "warning: column 'visits' holds 2 infinite values, read as missing\n")


def test_categories_that_are_all_new_are_said(models: Path, tmp_path: Path, say: Say) -> None:
    rows = customers(30, seed=1)
    rows["zip"] = "north"
    rows.to_csv(tmp_path / "new.csv", index=False)
    _, _, err = say(model=models / "binary", input=tmp_path / "new.csv", output=tmp_path / "s.csv")
    assert "warning: column 'zip': none of its 30 values is a category of the training, such as '0100'" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ({"model": None}, 2, "model=... is needed; --help explains them"),
        ({"inptu": "x.csv"}, 2, "unknown key 'inptu' (did you mean input?); the keys are model, input, output"),
        ({"skip": "-1"}, 2, "skip=-1: allowed is a number of lines"),
        ({"encoding": "utf-9"}, 1, ": encoding=utf-9: there is no such encoding; usual ones are utf-8, latin-1"),
        ({"member": "b.csv"}, 1, "input=new.csv: member=b.csv: only a zip archive has members"),
        ({"input": "two.zip"}, 1, "holds 2 files (a.csv, b.csv), where one table is needed; name one in member"),
        ({"input": "two.zip", "member": "c.csv"}, 1, "member=c.csv: the zip file has no such file"),
        ({"input": "two.xlsx", "sheet": "June"}, 1, "sheet=June: there is no such sheet; there are Info, Data"),
        ({"input": "odd.csv"}, 1, "is not utf-8: it holds the byte 0x81; name its encoding, for example encoding=latin-1"),
        ({"input": "ragged.csv"}, 1, "line 3 has 3 values, where 9 are expected; correct or remove such lines"),
        ({"threshold": "1.5"}, 2, "threshold=1.5: allowed is a number from 0 to 1"),
        ({"bad_rows": "skip"}, 2, "bad_rows=skip: allowed are error and missing"),
        ({"batch_size": "1000"}, 2, "batch_size=1000: allowed are multiples of 4096, the rows that a model takes"),
        ({"input": "gone.csv"}, 1, "input=gone.csv: there is no file"),
        ({"output": "s.json"}, 1, "output=s.json: the suffix '.json' cannot be written; allowed are .csv, .tsv"),
        ({"output": "gone/s.csv"}, 1, "output=gone/s.csv: there is no folder gone; make it first"),
        ({"output": "new.csv"}, 1, "output=new.csv: is the input itself; give the path of another file"),
        ({"output": "."}, 1, "output=.: the suffix '' cannot be written"),
        ({"columns": "[gone]"}, 1, "columns=[gone]: no column 'gone'; columns are customer"),
        ({"model": "gone"}, 1, "model=gone: there is no folder with model_best.pt, no such run and no registered"),
        ({"input": "short.csv"}, 1, "lacks columns the model was trained on: total, visits"),
        ({"input": "empty.csv"}, 1, "has 0 rows; a header line and rows are needed"),
        ({"input": "noise.csv"}, 1, "the file is no text: its first line holds control characters"),
    ],
)  # fmt: skip
def test_a_wrong_call_says_what_is_wrong_and_writes_nothing(
    models: Path,
    new: Path,
    say: Say,
    monkeypatch: pytest.MonkeyPatch,
    words: dict[str, Any],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(new.parent)
    (new.parent / "short.csv").write_text("customer,zip,note,since\nC1,0100,x,01/05/2022\n")
    (new.parent / "empty.csv").write_text(new.read_text().partition("\n")[0] + "\n")
    (new.parent / "noise.csv").write_bytes(bytes(range(1, 128)))
    (new.parent / "odd.csv").write_bytes(new.read_bytes() + b"\x81\n")
    (new.parent / "ragged.csv").write_text("\n".join([*new.read_text().splitlines()[:2], "C1,0100,x", ""]))
    containers(new, new.parent)
    before = {each.name for each in new.parent.iterdir()}
    asked = {"model": models / "binary", "input": "new.csv", "output": "s.csv", **words}
    found, _, err = say(**{key: value for key, value in asked.items() if value is not None})
    assert (found, err[:7]) == (code, "error: ")
    assert message in err
    assert {each.name for each in new.parent.iterdir()} == before


def containers(table: Path, folder: Path) -> None:
    """Write a zip archive and a workbook that hold a table beside another one."""
    with zipfile.ZipFile(folder / "two.zip", "w") as archive:
        archive.writestr("a.csv", "note\nread me\n")
        archive.write(table, "b.csv")
    with pd.ExcelWriter(folder / "two.xlsx") as book:
        pd.DataFrame({"note": ["read me"]}).to_excel(book, sheet_name="Info", index=False)
        pd.read_csv(table, dtype={"zip": str}).to_excel(book, sheet_name="Data", index=False)


def test_what_cannot_be_found_of_a_file_can_be_given(models: Path, new: Path, say: Say) -> None:
    out = new.parent / "s.csv"
    say(model=models / "binary", input=new, output=out)
    wanted = pd.read_csv(out)["probability"].tolist()
    containers(new, new.parent)
    text = new.read_text()
    (new.parent / "odd.csv").write_bytes(text.replace("zip", "ZÏP").encode("shift-jis", "replace"))
    (new.parent / "titled.csv").write_text(f"made,of,these,three,and,those\n{text}")
    (new.parent / "commented.csv").write_text(f"# made\n{text}")
    predictor = load_model(models / "binary")
    for name, how, said in (
        ("two.zip", {"member": "b.csv"}, ""),
        ("two.xlsx", {"sheet": "Data"}, ""),
        ("two.xlsx", {"sheet": 2}, ""),
        ("titled.csv", {"skip": 1}, ""),
        ("new.csv", {"encoding": "latin-1"}, ""),
        ("commented.csv", {}, "warning: 1 line before the header is left out ('# made'); skip=0 reads from the first line"),
    ):  # fmt: skip
        code, _, err = say(model=models / "binary", input=new.parent / name, output=out, **how)
        assert (code, err[: len(said)], bool(err)) == (0, said, bool(said)), name
        assert pd.read_csv(out)["probability"].tolist() == wanted, name
        assert predictor.predict(new.parent / name, **how).tolist() == wanted, name
        assert (
            predictor.classify(new.parent / name, **how).tolist()
            == pd.read_csv(out)["label"].astype(str).tolist()
        )
    with pytest.raises(DataError, match="sheet: only files have such; a DataFrame was given"):
        predictor.predict(pd.read_csv(new), sheet="Data")
    with pytest.raises(DataError, match="name one in member"):
        predictor.predict(new.parent / "two.zip")


def test_the_file_and_the_sheet_of_the_training_are_looked_for(tmp_path: Path, say: Say) -> None:
    customers().to_csv(tmp_path / "old.csv", index=False)
    containers(tmp_path / "old.csv", tmp_path)
    save(tmp_path / "zipped", tmp_path / "two.zip", "binary", member="b.csv")
    save(tmp_path / "sheet", tmp_path / "two.xlsx", "binary", sheet="Data")
    for model, name in (("zipped", "two.zip"), ("sheet", "two.xlsx")):
        code, _, err = say(
            model=tmp_path / model, input=tmp_path / name, output=tmp_path / "s.csv", columns="[]"
        )
        assert (code, err) == (0, "")
        assert len(pd.read_csv(tmp_path / "s.csv")) == len(customers())


def test_words_that_are_no_pairs_or_stand_twice_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ctr_model@champion", "input=x.csv"]) == 2
    assert "'ctr_model@champion' is not KEY=VALUE; the keys are model, input" in capsys.readouterr().err
    assert main(["model=a", "model=b"]) == 2
    assert "model= is given twice: 'a' and 'b'" in capsys.readouterr().err
    assert main(["model=a", "input=b.csv", "--json"]) == 2
    assert "--json: the scores go to the standard output; name a file with output=" in capsys.readouterr().err


def test_the_help_names_every_key_and_calls_the_command_as_the_user_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert set(re.findall(r"^  (\w+)=", text, re.MULTILINE)) == set(KEYS)
    assert "python -m trainer.predict model=NAME" in text
    assert max(map(len, text.splitlines())) <= 120
    monkeypatch.setenv("PODIUM_TRAINER_COMMAND", "podium train")
    main([])
    assert "podium predict model=NAME" in capsys.readouterr().out
    main(["--complete", "model=x", "out"])
    assert capsys.readouterr().out == "output=\n"


def test_a_model_is_found_by_run_and_by_name_with_alias_or_version(
    models: Path, new: Path, tmp_path: Path, say: Say
) -> None:
    store = tmp_path / "ex"
    tracker, registry = ExperimentTracker(store), ModelRegistry(store)
    for seed in (1, 2):
        with tracker.start_run("churn") as run:
            save(run.artifacts_dir, models / "old.csv", seed=seed)
            run.log({"val_auc": 0.5 + seed / 10})
        objective = {"metric": "val_auc", "mode": "max", "value": 0.5 + seed / 10}
        files = ["model_best.pt", "model.json"]
        registry.register("churn", run.run_id, files=files, objective=objective, loader="trainer:load_model")
    registry.promote("churn", 1, reason="better")
    registry.set_alias("churn", "staging", 2)

    def scores(model: str) -> list[float]:
        code, out, err = say(model=model, input=new, store=store)
        assert (code, err) == (0, "")
        return [*pd.read_csv(io.StringIO(out))["probability"]]

    one, two = scores("run_001"), scores("run_002")
    assert one != two
    assert scores("churn") == scores("churn@champion") == scores("churn@1") == scores("churn@v1") == one
    assert scores("churn@staging") == scores(str(store / "runs/run_002")) == two
    assert (
        main(["model=churn", f"input={new}", f"paths.experiments={store}", f"output={tmp_path / 's.csv'}"])
        == 0
    )
    _, _, err = say(model="churn@gone", input=new, store=store)
    assert "model 'churn' has no alias 'gone'; its aliases are: churn@champion, churn@staging" in err
    assert "its newest versions: churn@1, churn@2" in err
    (registry.version("churn", 1).path / "model_best.pt").write_bytes(b"changed")
    code, _, err = say(model="churn", input=new, store=store)
    assert code == 1
    assert "model_best.pt" in err


def test_a_model_without_a_reader_scores_a_file(models: Path, new: Path, tmp_path: Path, say: Say) -> None:
    sidecar = json.loads((models / "binary/model.json").read_text())
    (tmp_path / "old").mkdir()
    (tmp_path / "old/model_best.pt").write_bytes((models / "binary/model_best.pt").read_bytes())
    for name in ("reader", "target", "threshold"):
        del sidecar[name]
    (tmp_path / "old/model.json").write_text(json.dumps({**sidecar, "format": 1}))  # as podium 0.1.0 wrote it
    code, _, err = say(model=tmp_path / "old", input=new, output=tmp_path / "s.csv")
    assert (code, err) == (0, "")
    found = pd.read_csv(tmp_path / "s.csv")
    assert (found["probability"] == load_model(models / "binary").predict(new)).all()
    assert set(found["label"]) <= {"yes", "not yes"}
    assert (load_model(tmp_path / "old").predict(new) == found["probability"]).all()


def test_ctrl_c_leaves_nothing(
    models: Path, new: Path, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scored_file, "_count", interrupted)
    code, out, err = say(model=models / "binary", input=new, output=tmp_path / "s.csv")
    assert (code, out, err) == (130, "", "error: interrupted; nothing was written\n")
    assert {each.name for each in tmp_path.iterdir()} == {"new.csv"}


def test_a_signal_to_end_leaves_nothing(
    models: Path, new: Path, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(scored_file, "_count", lambda *_: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        say(model=models / "binary", input=new, output=tmp_path / "s.csv")
    assert ended.value.code == 143
    assert {each.name for each in tmp_path.iterdir()} == {"new.csv"}
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_model_of_the_users_needs_their_word(models: Path, new: Path, tmp_path: Path, say: Say) -> None:
    own = save(tmp_path / "own", models / "old.csv", model={"_target_": "own_models.Tiny"})
    code, _, err = say(model=own, input=new, output=tmp_path / "s.csv")
    assert code == 1
    assert (
        "own_models.Tiny is not in an allowed package (trainer, torch.nn); if you trust it, pass allow=['own_models']"
        in err
    )
    assert say(model=own, input=new, output=tmp_path / "s.csv", allow="[own_models]")[0] == 0
    found = pd.read_csv(tmp_path / "s.csv")["probability"]
    assert (found == load_model(own, allow=["own_models"]).predict(new)).all()


@pytest.mark.parametrize("how", ["podium", "python -m"])
@pytest.mark.parametrize(
    ("group", "module", "words"),
    [
        ("predict", "trainer.predict", ["input={new}", "output=out.csv"]),
        pytest.param("export-model", "trainer.export", ["output=out.pt2"], marks=pytest.mark.slow),
    ],
)
def test_podium_and_python_find_a_model_of_the_users_in_the_folder(
    models: Path, new: Path, tmp_path: Path, how: str, group: str, module: str, words: list[str]
) -> None:
    own = save(tmp_path / "own", models / "old.csv", model={"_target_": "own_models.Tiny"})
    (tmp_path / "project").mkdir()
    shutil.copy(own_models.__file__, tmp_path / "project")
    script = tmp_path / "podium"
    script.write_text("import sys\nfrom tracking.cli.app import podium\nsys.exit(podium())\n")
    start = [str(script), group] if how == "podium" else ["-m", module]
    done = subprocess.run(
        [sys.executable, *start, f"model={own}", "allow=[own_models]", *(each.format(new=new) for each in words)],
        cwd=tmp_path / "project",
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "project" / words[-1].partition("=")[2]).is_file()


def test_the_command_runs_in_a_process_of_its_own_and_its_reader_may_go(models: Path, new: Path) -> None:
    command = [sys.executable, "-m", "trainer.predict", f"model={models / 'binary'}", f"input={new}"]
    code = f"""
import sys
from trainer.predict.score_command import main
code = main({command[3:]!r})
print(sorted({{"pandas", "sklearn", "matplotlib"}} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=new.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, text=True,
    )  # fmt: skip
    out, err = process.communicate(timeout=200)
    assert (process.returncode, err) == (0, "[]\n")  # libraries that take long to load and are not needed
    assert len(pd.read_csv(io.StringIO(out))) == 50


def test_the_signal_of_a_closed_pipe_ends_it_quietly(models: Path, new: Path) -> None:
    command = [sys.executable, "-m", "trainer.predict", f"model={models / 'binary'}", f"input={new}"]
    process = subprocess.Popen(
        command,
        cwd=new.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=200) in (0, 1, -signal.SIGPIPE)
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
