"""Every page with few, many and very many runs, wide and narrow, light and dark: drawn, whole, and without an error."""

from collections.abc import Callable
from typing import Any

import pytest
from filled_stores import FilledStore, run_id

DESKTOP = {"viewport": {"width": 1400, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 375, "height": 800}, "color_scheme": "dark", "has_touch": True}
SIZES = (3, 60, pytest.param(10_000, marks=pytest.mark.slow))


def addresses(store: FilledStore) -> dict[str, str]:
    """Return the address of every page, and a text that it shows."""
    some = "&".join(f"run={run_id(number)}" for number in range(1, min(20, store.runs) + 1))
    return {
        "runs": run_id(store.runs),
        "runs?seeds=1&sort=-val_auc.max": "val_auc",
        f"run/{run_id(1)}": run_id(1),
        f"compare?{some}": "Side by side",
        "compare?all=1": "Parameters and result",
        "sweeps": store.sweep,
        f"sweep/{store.sweep}": "Leaderboard",
        "models": store.model,
        f"model/{store.model}": "champion",
    }


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("runs", SIZES)
def test_every_page_is_drawn_without_an_error_and_fits(
    runs: int, device: dict[str, Any], filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, store = filled(runs)
    page = visit(served, **device)
    for address, text in addresses(store).items():
        page.open(address)
        page.find("main").get_by_text(text).first.wait_for()
        page.page.mouse.wheel(0, 20_000)  # charts are drawn when they are seen
        assert not page.too_wide(), address
        assert not page.find("main .state.failed").count(), address
        assert not page.faults, (address, page.faults)


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_an_empty_store_says_what_to_do(
    device: dict[str, Any], serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Any
) -> None:
    (tmp_path / "experiments").mkdir()
    page = visit(serve(), **device)
    for address in ("runs", "compare", "sweeps", "models"):
        page.open(address)
        page.find("main .state.empty").first.wait_for()
        assert not page.too_wide(), address


@pytest.mark.parametrize("address", ["run/run_999", "sweep/none", "model/none", "nonsense/x"])
def test_what_is_not_there_is_said(
    address: str, filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(3)[0])
    page.allow("status of 404")
    page.open(address, "failed")
    page.find("main .state.failed").wait_for()
