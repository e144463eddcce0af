"""Addresses of alerts are read from a config and then are in it no more."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.podium.versions import current_defaults
from sweeps import SettingsError
from sweeps.plan.compose import Composer
from sweeps.settings.addresses import FROM_VARIABLE, VARIABLE, recorded, without_addresses
from sweeps.settings.reading import sweeper_settings

HOOK = "https://hooks.example.org/S3CRET"
CONFIG = f"""
defaults:
  - override hydra/sweeper: podium
  - override hydra/launcher: podium
  - _self_

x: 0
podium:
  notify:
    to: ["{HOOK}"]
    on: [best]
hydra:
  sweeper: {{settings_from: podium}}
"""


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[ConfigLoader]:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "plain.yaml").write_text(
        "defaults: [{override hydra/sweeper: podium}, {override hydra/launcher: podium}]\nx: 0\n"
    )
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


def composed(loader: ConfigLoader, *overrides: str, name: str = "config") -> DictConfig:
    return loader.load_configuration(name, list(overrides), RunMode.MULTIRUN)


def test_a_key_that_yaml_reads_as_true_is_the_key_on(loader: ConfigLoader) -> None:
    notify = sweeper_settings(composed(loader)).notify
    assert [address.text for address in notify.to] == [HOOK]
    assert notify.on == {"best"}
    config = composed(loader, "hydra.sweeper.notify.on=[failed]")
    assert sweeper_settings(config).notify.on == {"failed"}
    config = composed(loader, "++podium.notify.on=[refused]")
    assert sweeper_settings(config).notify.on == {"refused"}


def test_without_a_setting_the_usual_events_are_sent_nowhere(loader: ConfigLoader) -> None:
    notify = sweeper_settings(composed(loader, name="plain")).notify
    assert (notify.to, notify.on) == ((), {"promoted", "finished", "failed"})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "hydra.sweeper.notify.to=[S3CRET]",
            r"podium\.notify\.to=\*\*\*: is no address; allowed are command:",
        ),
        ("hydra.sweeper.notify.to=[command:true,7]", r"podium\.notify\.to\.1: an address must be text"),
        ("hydra.sweeper.notify.on=[done]", r"podium\.notify\.on=done: allowed are promoted, refused"),
        ("hydra.sweeper.notify=S3CRET", r"hydra\.sweeper\.notify=\*\*\*: allowed is a mapping of on, to"),
        ("+hydra.sweeper.notify.at=S3CRET", r"hydra\.sweeper\.notify\.at: unknown key; allowed are on, to"),
        ("podium.notify.to=['${oc.env:NO_SUCH_VARIABLE}']", r"podium\.notify\.to\.0: .*NO_SUCH_VARIABLE"),
    ],
)
def test_a_wrong_setting_is_refused_without_its_value(
    loader: ConfigLoader, override: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        sweeper_settings(composed(loader, override))
    assert "S3CRET" not in str(refused.value)


def test_no_config_of_a_sweep_or_a_job_holds_an_address(loader: ConfigLoader) -> None:
    arguments = [f"++podium.notify.to=['{HOOK}','command:echo S3CRET']", "x=1"]
    config = composed(loader, f"hydra.sweeper.notify.to=['{HOOK}/2']", *arguments)
    settings = sweeper_settings(config)
    assert [address.text for address in settings.notify.to] == [f"{HOOK}/2"]
    OmegaConf.set_readonly(config.hydra, True)  # as Hydra 1.4 has done before a sweep
    kept, settings = without_addresses(config, arguments, settings)
    assert kept == ["x=1"]
    assert "python -m sweeps resume SWEEP --notify ADDRESS" in settings.remarks[0]
    assert "S3CRET" not in OmegaConf.to_yaml(config)
    assert config.hydra.job.override_dirname == "x=1"
    job = Composer(loader, config, kept).job_config(0, ["x=2"])
    assert "S3CRET" not in OmegaConf.to_yaml(job.whole)
    assert "S3CRET" not in str(job.job({"x": 2}))
    assert job.whole.podium.notify.to == []
    Composer(loader, config, kept).require_same_sweep(job)


OFF = [
    "podium.notify.to=null",
    "podium.notify.to=[]",
    "podium.notify=null",
    "~podium.notify",
    "~podium.notify.to",
]


@pytest.mark.parametrize("word", [*OFF, *(word.replace("podium", "hydra.sweeper") for word in OFF)])
def test_null_or_an_absent_section_turns_alerts_off(loader: ConfigLoader, word: str) -> None:
    config = composed(loader, word)
    settings = sweeper_settings(config)
    assert settings.notify.to == ()
    arguments = [word] if "podium" in word else []
    kept, after = without_addresses(config, arguments, settings)
    assert (kept, after.remarks) == (arguments, ())
    job = Composer(loader, config, kept).job_config(0, ["x=2"])
    Composer(loader, config, kept).require_same_sweep(job)
    assert "S3CRET" not in OmegaConf.to_yaml(config) + OmegaConf.to_yaml(job.whole)
    assert recorded([word], "podium") == (word,)


def test_resume_gives_addresses_to_a_sweep_that_turned_alerts_off(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{HOOK}/1\n{HOOK}/2")
    for word in ("~hydra.sweeper.notify", "hydra.sweeper.notify=null"):
        assert len(sweeper_settings(composed(loader, word, FROM_VARIABLE)).notify.to) == 2
    config = composed(loader, FROM_VARIABLE)
    settings = sweeper_settings(config)
    without_addresses(config, [], settings)
    assert VARIABLE not in os.environ  # the jobs and the commands of other addresses do not get it
    assert "S3CRET" not in OmegaConf.to_yaml(config)


def test_a_job_that_brings_other_addresses_is_refused_without_them(loader: ConfigLoader) -> None:
    config = composed(loader, "podium.notify.to=[]")
    for theirs in (f"['{HOOK}']", "['smtp://me:S3CRET@x.org/']", "command:S3CRET"):
        job = Composer(loader, config, []).job_config(0, [f"podium.notify.to={theirs}"])
        with pytest.raises(
            SettingsError, match=r"notify\.to would be \*\*\* in this job and is \[\] in"
        ) as refused:
            Composer(loader, config, []).require_same_sweep(job)
        assert "S3CRET" not in str(refused.value)


def test_without_addresses_a_config_stays_as_it_is(loader: ConfigLoader) -> None:
    config = composed(loader, "x=1", name="plain")
    before = OmegaConf.to_yaml(config)
    settings = sweeper_settings(config)
    assert without_addresses(config, ["x=1"], settings) == (["x=1"], settings)
    assert OmegaConf.to_yaml(config) == before


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            f"podium.notify.to={HOOK},command:true",
            r"podium\.notify\.to: cannot be swept; .*\[ADDRESS,ADDRESS\]",
        ),
        ("podium={notify:{to:[S3CRET]}}", r"podium: give podium\.notify\.to a value of its own"),
    ],
)
def test_addresses_that_no_job_may_have_are_refused(
    loader: ConfigLoader, argument: str, message: str
) -> None:
    config = composed(loader)
    with pytest.raises(SettingsError, match=message) as refused:
        without_addresses(config, [argument], sweeper_settings(config))
    assert "S3CRET" not in str(refused.value)


KEPT = [
    "x=1,2",
    "sweep.notify.on=[best]",
    "sweep.notify.to=[${oc.env:HOOK}]",
    "hydra.sweeper.notify.to=['${oc.env:HOOK,null}', ${alerts.mail}]",
    "++sweep.notify.to=${oc.env:HOOKS}",
    "sweep.notify.to=['smtp://me:${oc.env:PASSWORD}@x.org:587/?from=me@x.org&to=a@x.org,b@x.org']",
    "sweep.notify.to=['smtp://x.org/?from=me@x.org&to=a@x.org']",
]
LOST = [
    "sweep.notify.to=[https://x.org/S3CRET]",
    "sweep.notify.to=[https://x.org/S3CRET,${oc.env:HOOK}]",
    "sweep.notify.to=['${oc.env:HOOK}/S3CRET']",
    "sweep.notify.to=['${oc.env:HOOK,S3CRET}']",
    "sweep.notify.to=['smtp://me:S3CRET@x.org/?from=me@x.org&to=a@x.org']",
    "sweep.notify.to=command:S3CRET",
    "+hydra.sweeper.notify={to:[S3CRET],on:[best]}",
    FROM_VARIABLE,
]


@pytest.mark.parametrize("word", KEPT)
def test_what_refers_to_the_environment_stays_in_the_recorded_command(word: str) -> None:
    assert recorded(["python", word, "-m"], "sweep") == ("python", word, "-m")


@pytest.mark.parametrize("word", LOST)
def test_an_address_that_may_hold_a_secret_is_not_recorded(word: str) -> None:
    assert recorded(["python", word, "-m"], "sweep") == ("python", "-m")
