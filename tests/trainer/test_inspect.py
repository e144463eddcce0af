"""`python -m trainer.inspect` shows what training would find in a table, without training and without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trainer import command
from trainer.data.inspection import Inspection
from trainer.inspect import main


@pytest.fixture
def people(tmp_path: Path) -> Path:
    rows = "".join(f"{n},{n % 7},{'ab'[n % 2]},{'yes' if n % 3 else 'no'}\n" for n in range(90))
    (tmp_path / "people.csv").write_text(f"id,size,kind,bought\n{rows}")
    return tmp_path / "people.csv"


def test_columns_features_splits_and_warnings_are_shown(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(people), "data.target=bought"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "people.csv: 90 rows, 4 columns\ntarget bought, binary: no 30, yes 60 (positive: yes)\n"
    )
    assert "features: 1 numeric, 1 categorical; left out: 1\n" in out
    assert "read as: separator ',', utf-8, a header line\n" in out
    table = [line.split() for line in out.splitlines() if line.startswith(("split", "train", "val", "test"))]
    assert table[0] == ["split", "rows", "no", "yes"]
    assert sum(int(row[1]) for row in table[1:]) == 90
    assert "warning: column 'id' is a whole number that is different in each row" in out
    assert "data.keep=[id]" in out


def test_json_is_one_object_with_everything(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "data=csv", f"data.path={people}", "data.target=bought"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["task"], found["positive"], found["numeric"]) == ("binary", "yes", ["size"])
    assert sum(split["rows"] for split in found["splits"].values()) == 90
    assert sum(split["classes"]["yes"] for split in found["splits"].values()) == 60
    assert [column["role"] for column in found["profile"]["columns"]] == [
        "identifier", "numeric", "categorical", "target",
    ]  # fmt: skip
    assert found["warnings"] == found["profile"]["columns"][0]["warnings"]
    assert [column["name"] for column in found["reader"]["columns"]] == ["id", "size", "kind", "bought"]


def test_a_regression_is_told_by_how_its_target_is_spread(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(people), "data.target=id", "task=regression"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (head,) = [line for line in lines if line.startswith("split")]
    assert head.split() == ["split", "rows", "mean", "std", "min", "max"]


def test_data_without_a_profile_are_shown_by_their_splits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data=breast_cancer"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("569 rows\ntarget diagnosis, binary\n30 features: 30 numeric, 0 categorical\n")


def test_without_a_target_the_columns_are_shown(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(people), "data.drop=[size]"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("people.csv: 90 rows, 4 columns\ncolumn  role")
    roles = {line.split()[0]: line.split()[1] for line in out.splitlines()[2:6]}
    assert roles == {"id": "identifier", "size": "dropped", "kind": "categorical", "bought": "categorical"}
    assert "read as: separator ',', utf-8, a header line\n" in out
    assert "warning: column 'id' is a whole number" in out
    assert "data.target is missing, the column to predict: set it, for example data.target=bought," in out
    assert main([str(people), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["target"], len(found["profile"]["columns"])) == (None, 4)
    assert main([str(people), "data.fold=x"]) == 1
    assert capsys.readouterr().err.startswith("error: data.fold=x: allowed is")


def test_what_a_table_lacks_is_said_without_a_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("1.5,x\n2.5,y\n3.5,x\n")
    assert main([str(tmp_path / "t.csv")]) == 0
    assert "warning: no header line is found" in capsys.readouterr().out
    (tmp_path / "t.csv").write_text('x,"a,b"\n1,2\n')
    assert main([str(tmp_path / "t.csv")]) == 0
    assert "for example \"data.target='a,b'\"," in capsys.readouterr().out


def test_splits_that_training_refuses_are_shown_and_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{n % 7},{int(n in (3, 30))},{n % 3},{n % 3 if n > 1 else 9 + n}\n" for n in range(90))
    path = tmp_path / "rare.csv"
    path.write_text(f"x,rare,three,odd\n{rows}")
    assert main([str(path), "data.target=rare", "--json"]) == 1
    out, error = capsys.readouterr()
    refused = "target 'rare' has one class in the validation split"
    assert json.loads(out)["refused"].startswith(refused)
    assert error.startswith(f"error: {refused}")
    assert main([str(path), "data.target=x", "task=regression", "data.drop=[rare]"]) == 0
    assert main([str(path), "data.target=odd"]) == 0
    assert (
        "warning: target 'odd': 2 classes ('9', '10') do not occur in the test split"
        in capsys.readouterr().out
    )
    path.write_text("x,y\n" + "".join(f"{n},5.5\n" for n in range(90)))
    assert main([str(path), "data.target=y", "task=regression", "data.keep=[x]"]) == 1
    assert "is 5.5 in all" in capsys.readouterr().err


def test_columns_may_be_named_by_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{n % 7},{n % 5},{n % 4},{'ab'[n % 2]},{1 + n % 3}\n" for n in range(90))
    (tmp_path / "t.csv").write_text(f"0,1,2.50,y,1e1\n{rows}")
    table = [str(tmp_path / "t.csv"), "data.header=true"]
    words = [
        "data.target=y",
        "data.drop=[1]",
        "data.weight_column=10",
        "data.group_column=0",
        "data.categorical=[2.5]",
    ]
    assert main([*table, "--json", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    roles = [column["role"] for column in found["profile"]["columns"]]
    assert roles == ["group", "dropped", "categorical", "target", "weight"]
    assert (
        main(
            [
                str(tmp_path / "t.csv"),
                "--json",
                "data.target=1",
                "data.time_column=0",
                "data.group_column=2.5",
            ]
        )
        == 1
    )
    assert "rows are split by one of them" in capsys.readouterr().err
    assert main([*table, "data.names=[0,1,2,3,4]", "data.target=3"]) == 0
    assert main([*table, "data.target=5"]) == 1
    assert "has no column '5'; columns are 0, 1, 2.50, y, 1e1" in capsys.readouterr().err
    assert main([*table, "data.target=true"]) == 1
    assert "data.target=True: allowed is the name of a column" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.csv", "data.target=x"], "error: data.path=nowhere.csv: there is no file"),
        (["{people}", "data.target=bougt"], "has no column 'bougt' (did you mean 'bought'?)"),
        (
            ["{people}", "data.target=bought", "data.pth=1"],
            "there is no key data.pth (did you mean data.path?)",
        ),
        (["{people}", "data.target=bought", "task=regression"], "which is no finite number"),
        ([], ""),
    ],
)
def test_what_cannot_be_is_one_message(
    people: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main([word.format(people=people) for word in words]) == (1 if words else 0)
    assert message in capsys.readouterr().err


def test_many_classes_fit_a_narrow_terminal(tmp_path: Path) -> None:
    rows = "".join(f"{n % 13},class number {n % 15}\n" for n in range(300))
    (tmp_path / "many.csv").write_text(f"x,y\n{rows}")
    section = {
        "_target_": "trainer.data.table.load",
        "path": str(tmp_path / "many.csv"),
        "target": "y",
        "val_fraction": 0.2,
        "test_fraction": 0.2,
        "data_seed": 0,
    }
    found = Inspection.of(section)
    for width in (60, 80, 120):
        assert max(map(len, found.text(width).splitlines())) <= width
    assert found.text(60).splitlines()[-4].endswith("...")


def test_it_loads_no_torch(people: Path) -> None:
    code = (
        "import sys\n"
        "from trainer.inspect import main\n"
        f"assert main([{str(people)!r}, 'data.target=bought', '--json']) == 0\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_podium_inspect_becomes_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr("os.execve", lambda *call: calls.append(call))
    command.inspect(["a.csv", "data.target=y"])
    ((_, words, _),) = calls
    assert words[1:] == ["-m", "trainer.inspect", "a.csv", "data.target=y"]
