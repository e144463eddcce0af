"""All problems of a config are reported together, with the value and what is allowed."""

import gzip
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from trainer.config import check
from trainer.errors import ConfigError
from trainer.targets import bound

Compose = Callable[..., DictConfig]


def test_the_default_config_is_sound(composed: Compose) -> None:
    check(composed())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.batch_size=0", r"training\.batch_size=0: allowed is a whole number >= 1"),
        ("training.batch_size=many", r"training\.batch_size=many: allowed is a whole number"),
        ("training.batch_size=1.5", r"training\.batch_size=1\.5: allowed is a whole number"),
        ("training.epochs=true", r"training\.epochs=True: allowed is a whole number"),
        ("training.learning_rate=0", r"training\.learning_rate=0: allowed is a number > 0"),
        ("training.learning_rate=.nan", r"training\.learning_rate=nan: allowed is a number > 0"),
        ("training.learning_rate=.inf", r"training\.learning_rate=inf: allowed is a number > 0"),
        ("training.limit_batches=0", r"training\.limit_batches=0: allowed is a whole number >= 1 or null"),
        ("training.early_stopping_patience=0", r"allowed is a whole number >= 1 or auto or null"),
        ("model.dropout=1", r"model\.dropout=1: allowed is a number >= 0 and < 1"),
        ("model.hidden_dims=[64,0]", r"model\.hidden_dims=\[64, 0\]: allowed is a list"),
        (
            "model.hidden_dims=64",
            r"model\.hidden_dims=64: allowed is a list.*\(did you mean model\.hidden_dims=\[64\]\?\)",
        ),
        ("optimizer.betas=[0.9]", r"optimizer\.betas=\[0\.9\]: allowed is a list, its 2 entries"),
        ("data.val_fraction=0", r"data\.val_fraction=0: allowed is a number > 0 and < 1"),
        ("data.test_fraction=0", r"data\.test_fraction=0: allowed is a number > 0 and < 1"),
        ("data.test_fraction=0.9", r"leave no rows to train on; allowed is a sum below 1"),
        ("data.numeric_transform=log", r"allowed is one of robust, quantile, standard, bins"),
        ("data.dataset='../x'", r"data\.dataset=\.\./x: allowed is a name of letters"),
        ("objective.mode=up", r"objective\.mode=up: allowed is one of max, min or null"),
        ("device=tpu", r"device=tpu: allowed is auto, cpu, cuda or cuda:N"),
        ("device=cuda:x", r"device=cuda:x: allowed is auto, cpu, cuda or cuda:N"),
        ("device=mps", r"device=mps: allowed is auto, cpu, cuda or cuda:N"),
        ("seed=18446744073709551616", r"seed=.*: allowed is a whole number >= 0 and <= 18446744073709551615"),
        ("data.data_seed=18446744073709551616", r"data\.data_seed=.*: allowed is a whole number >= 0 and <="),
        ("promotion.files=[]", r"promotion\.files=\[\]: a model is made of files"),
        ("promotion.files=['../x']", r"artifact name '\.\./x' is refused"),
        ("promotion.model_name=a/b", r"promotion\.model_name 'a/b' holds a character that is not safe"),
        ('tracking.experiment_name="a\\nb"', r"tracking\.experiment_name 'a\\nb' must be .* on one line"),
        (
            "model._target_=no_such_package.Net",
            r"_target_=no_such_package\.Net: there is no module 'no_such_p",
        ),
        (
            "optimizer._target_=no_such.Adam",
            r"optimizer\._target_=no_such\.Adam: there is no module 'no_such'",
        ),
        ("data._target_=no_such.load", r"data\._target_=no_such\.load: there is no module 'no_such'"),
        ("seed=-1", r"seed=-1: allowed is a whole number >= 0"),
        (
            "promotion.rules.thresholds={val_auc: high}",
            r"promotion\.rules\.thresholds=.*a mapping of names to a number",
        ),
        ("promotion.rules.min_gain=-1", r"promotion\.rules\.min_gain=-1: allowed is a number >= 0"),
        ("promotion.rules.not_worse={size: much}", r"promotion\.rules\.not_worse=.*or a share such as 20%"),
        ("promotion.rules=0.1", r"promotion\.rules=0\.1: allowed is a section of min_gain, superiority"),
        ("promotion.rules.min_gian=0", r"unknown key promotion\.rules\.min_gian=0 \(did you mean .*min_gain"),
        ("promotion.min_gain=0", r"unknown key promotion\.min_gain=0 .*promotion\.rules\.min_gain"),
        ("promotion.alpha=1", r"promotion\.alpha=1: allowed is a number > 0 and < 1"),
        (
            "promotion.rules.not_worse={logloss_: 0.1}",
            r"promotion\.rules\.not_worse\.logloss_: there is no such measure",
        ),
        (
            "promotion.rules.thresholds={rmsee: 0.1}",
            r"promotion\.rules\.thresholds\.rmsee: there is no such measure",
        ),
        (
            "promotion.rules.superiority=false",
            r"promotion\.rules\.superiority=false: needs promotion\.rules\.not_worse\.auc",
        ),
        ("promotion.split=nowhere.csv", r"promotion\.split=nowhere\.csv: there is no such file"),
        ("promotion.scorer=no_such.score", r"promotion\.scorer=no_such\.score: there is no module 'no_such'"),
        ("data.promotion_fraction=1", r"data\.promotion_fraction=1: allowed is a number >= 0 and < 1"),
        ("tracking.experiment_name=''", r"tracking\.experiment_name='': allowed is a name"),
        ("model._target_=mlp", r"model\._target_='mlp': allowed is the dotted name of a class"),
        ("sweep=3", r"sweep=3: allowed is a section of keys"),
        ("training=null", r"training=None: allowed is a section of keys"),
    ],
)
def test_an_impossible_value_is_named_with_what_is_allowed(
    composed: Compose, override: str, message: str
) -> None:
    cfg = composed()
    key, value = override.split("=", 1)
    OmegaConf.update(cfg, key, OmegaConf.create(f"v: {value}").v, force_add=True)
    with pytest.raises(ConfigError, match=message):
        check(cfg)


def test_an_unknown_key_comes_with_the_one_that_was_meant(composed: Compose) -> None:
    with pytest.raises(
        ConfigError, match=r"unknown key training\.learnin_rate=1 .*training\.learning_rate\?"
    ):
        check(composed("+training.learnin_rate=1"))


def test_a_key_in_the_wrong_place_comes_with_its_section(composed: Compose) -> None:
    with pytest.raises(ConfigError, match=r"unknown key dropout=0\.1 \(did you mean model\.dropout\?\)"):
        check(composed("+dropout=0.1"))


def test_a_misspelt_class_of_ours_comes_with_the_one_that_was_meant(composed: Compose) -> None:
    with pytest.raises(ConfigError, match=r"did you mean trainer\.models\.tabular\.TabularClassifier"):
        check(composed("model._target_=trainer.models.tabular.TabularClasifier"))


def test_a_class_of_the_users_may_have_any_key_and_is_not_imported(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_models.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    check(composed("model._target_=my_models.Net", "+model.depth=3"))


@pytest.mark.parametrize("depth", [0, 1])
def test_what_runs_whatever_it_is_given_is_refused_by_hydra_at_any_depth(depth: int) -> None:
    spec = {"_target_": "os.system", "command": "true"}
    with pytest.raises(ConfigError, match=r"model\._target_=.*'os\.system'"):
        bound("model", {"_target_": "torch.nn.Sequential", "of": spec} if depth else spec)


def test_the_name_of_a_model_that_is_not_to_be_registered_does_not_matter(composed: Compose) -> None:
    check(composed("tracking.experiment_name='clicks: a/b'", "promotion.promote=false"))


def test_another_class_of_ours_may_stand_beside_the_keys_of_the_first(composed: Compose) -> None:
    check(composed("model._target_=trainer.models.tabular.LogisticRegression"))


def test_a_metric_that_no_job_logs_lists_the_ones_logged(composed: Compose) -> None:
    allowed = "train_loss, train_acc, val_loss, val_acc, val_auc"
    with pytest.raises(ConfigError, match=f"objective.metric=test_auc: .*logged per epoch: {allowed}"):
        check(composed("objective.metric=test_auc"))


def test_a_mode_that_prefers_the_worse_model_is_refused(composed: Compose) -> None:
    with pytest.raises(ConfigError, match=r"val_loss is better when it is smaller; use objective\.mode=min"):
        check(composed("objective.metric=val_loss", "++objective.mode=max"))


@pytest.mark.parametrize("mode", [{}, {"mode": None}, {"mode": "min"}])
def test_the_mode_may_be_left_to_the_metric(composed: Compose, mode: dict[str, str | None]) -> None:
    cfg = composed()
    cfg.objective = {"metric": "val_loss", "at": "best", **mode}
    check(cfg)


def test_all_problems_are_told_at_once(composed: Compose) -> None:
    with pytest.raises(ConfigError) as caught:
        check(composed("training.batch_size=0", "model.dropout=2", "+foo=1"))
    assert len(str(caught.value).splitlines()) == 3


def test_a_file_that_is_not_there_is_named_as_given_and_where_it_was_looked_for(composed: Compose) -> None:
    with pytest.raises(ConfigError, match=r"data\.path=no/clicks\.csv: there is no file /.*/no/clicks\.csv"):
        check(composed("data=csv", "data.path=no/clicks.csv", "data.target=y"))


def test_missing_census_files_come_with_their_source(composed: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"adult\.data; get both files from https://"):
        check(composed("data=adult", f"data.path={tmp_path}"))


def test_a_column_that_does_not_exist_is_refused_before_the_file_is_loaded(
    composed: Compose, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("age,clicked\n1,0\n")
    with pytest.raises(ConfigError, match=r"no column 'click' \(did you mean 'clicked'\?\); columns are age"):
        check(composed("data=csv", f"data.path={tmp_path}/t.csv", "data.target=click"))


def test_an_empty_file_is_refused(composed: Compose, tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    with pytest.raises(ConfigError, match=r"t\.csv: the file is empty"):
        check(composed("data=csv", f"data.path={tmp_path}/t.csv", "data.target=y"))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize("key", ["data.numeric", "data.categorical", "data.drop", "data.time_column"])
def test_a_misspelt_column_is_refused_wherever_it_is_named(
    composed: Compose, tmp_path: Path, name: str, key: str
) -> None:
    content = b"age,clicked\n1,0\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    value = "agee" if key == "data.time_column" else "[agee]"
    with pytest.raises(ConfigError, match=rf"{key}.*: .*no column 'agee' \(did you mean 'age'\?\)"):
        check(composed("data=csv", f"data.path={tmp_path}/{name}", "data.target=clicked", f"{key}={value}"))


def test_a_misspelt_column_of_the_census_is_refused(composed: Compose, tmp_path: Path) -> None:
    for name in ("adult.data", "adult.test"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"data\.drop: .*no column 'fnlwt' \(did you mean 'fnlwgt'\?\)"):
        check(composed("data=adult", f"data.path={tmp_path}", "data.drop=[fnlwt]"))


@pytest.mark.parametrize(
    ("content", "override", "message"),
    [
        (
            b"a;y\n1;0\n",
            "data.separator=','",
            r"its first line is one column, a;y; try data\.separator=semicolon$",
        ),
        (b"a\ty\n1\t0\n", "data.separator=','", r"is one column, a\\ty; try data\.separator=tab$"),
        (b"a^y\n1^0\n", "seed=0", r"is one column, a\^y; try \"data\.separator='\^'\"$"),
        (
            b'"a,y"\n"1,0"\n',
            "seed=0",
            r"first line stands in quotes as a whole, so it is one column, a,y; remove the quotes",
        ),
        (
            b"caf\x81,y\n1,0\n",
            "seed=0",
            r"the file is not utf-8: it holds the byte 0x81; .*data\.encoding=latin-1",
        ),
        (b"a,y\n", "data.encoding=utf8000", r"data\.encoding=utf8000: there is no such encoding"),
        (b"a,y\n", "data.encoding=rot13", r"data\.encoding=rot13: there is no such encoding"),
        (b"a,y\n", "data.separator=abc", r"data\.separator=abc: allowed is one character, or the word tab"),
        (b"\x1b[31m\x00\x01\x02", "seed=0", r"no text: its first line holds control characters$"),
        (b"x" * 200_000, "seed=0", r"its first lines cannot be read: field larger"),
        (b"z" * 100 + b",a\n", "seed=0", r"columns are z{60}\.\.\., a$"),
    ],
)
def test_a_file_read_in_the_wrong_way_is_refused_with_what_to_try(
    composed: Compose, tmp_path: Path, content: bytes, override: str, message: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        check(composed("data=csv", f"data.path={tmp_path}/t.csv", "data.target=y", override))


@pytest.mark.parametrize("separator", ['";"', '"\\t"', "semicolon", "tab"])
def test_the_advice_on_the_separator_works_as_printed(
    composed: Compose, tmp_path: Path, separator: str
) -> None:
    mark = {"semicolon": ";", "tab": "\t", '"\\t"': "\t"}.get(separator, separator[1:-1])
    (tmp_path / "t.csv").write_text(f"a{mark}y\n")
    check(composed("data=csv", f"data.path={tmp_path}/t.csv", "data.target=y", f"data.separator={separator}"))


def test_a_header_may_follow_blank_lines_and_hold_line_breaks(composed: Compose, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('\n\n"two\nlines", y\n1,0\n')
    check(composed("data=csv", f"data.path={tmp_path}/t.csv", "data.target=y"))


def test_a_folder_in_the_place_of_a_file_is_called_one(composed: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.path=/.*: /.* is a folder; give the path of a file in it"):
        check(composed("data=csv", f"data.path={tmp_path}", "data.target=y"))


def test_what_must_be_given_is_asked_for(composed: Compose) -> None:
    with pytest.raises(ConfigError, match=r"data\.target is missing: set data\.target="):
        check(composed("data=csv"))


def test_a_reference_that_leads_nowhere_is_one_clear_error(composed: Compose) -> None:
    with pytest.raises(ConfigError, match=r"cannot be resolved: .*nowhere"):
        check(composed("tracking.description=${nowhere}"))


def test_leaf_names_are_unique_across_the_recipe(composed: Compose) -> None:
    choices = {
        "data": ("ctr", "csv", "adult", "breast_cancer"),
        "optimizer": ("adam", "adamw", "sgd"),
        "scheduler": ("constant", "cosine", "plateau"),
    }
    keys = {
        group: [[*composed(f"{group}={name}")[group]] for name in names] for group, names in choices.items()
    }
    cfg = composed()
    for chosen in itertools.product(*keys.values()):
        sections = (*chosen, cfg.model, cfg.training)
        leaves = [key for each in sections for key in each if key != "_target_"]
        leaves += [*choices, "model", "training", "seed", "device"]
        assert len(leaves) == len(set(leaves))


def test_checking_loads_neither_torch_nor_pandas() -> None:
    code = (
        "import sys, trainer, trainer.config; "
        "sys.exit(bool({'torch', 'pandas', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
