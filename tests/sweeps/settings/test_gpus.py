"""Which devices a sweep may share out."""

import pytest

from sweeps import SettingsError
from sweeps.settings.gpus import gpu_names


@pytest.fixture
def visible(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


def test_numbers_and_names_are_devices(visible: pytest.MonkeyPatch) -> None:
    assert gpu_names([0, 3], 1) == ("0", "3")
    assert gpu_names(["GPU-8932f937-d72c", "MIG-GPU-8932f937/1/2"], 2) == (
        "GPU-8932f937-d72c",
        "MIG-GPU-8932f937/1/2",
    )
    assert gpu_names(None, 1) == ()


def test_numbers_count_the_devices_that_the_sweep_sees(visible: pytest.MonkeyPatch) -> None:
    visible.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    assert gpu_names([1, 0], 1) == ("5", "4")
    with pytest.raises(
        SettingsError, match=r"4 is none of the 2 devices in CUDA_VISIBLE_DEVICES=4,5; allowed: 0 to 1"
    ):
        gpu_names([4], 1)


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_devices_that_are_hidden_from_the_sweep_are_not_shared_out(
    visible: pytest.MonkeyPatch, hidden: str
) -> None:
    visible.setenv("CUDA_VISIBLE_DEVICES", hidden)
    with pytest.raises(
        SettingsError, match=f"none of the 0 devices in CUDA_VISIBLE_DEVICES={hidden}; allowed: none"
    ):
        gpu_names([0], 1)
