"""What the config of a run says of its seed, whoever wrote that config."""

from pathlib import Path

import pytest

from tracking.paths import RunPaths
from tracking.rerun.remembered import seed_of


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ("seed: 7\n", ("seed", 7)),
        ("seed: 7\nday: 2026-99-99\n", (None, None)),
        ("seed: !!bool x\n", (None, None)),
        ("a: &a {seed: 7}\nb: {<<: [" + "*a," * 60_000 + "]}\n", (None, None)),
    ],
)
def test_a_config_that_is_no_yaml_tells_no_seed(
    tmp_path: Path, config: str, found: tuple[str | None, int | None]
) -> None:
    (tmp_path / "config.yaml").write_text(config)
    assert seed_of({}, RunPaths(tmp_path), {}) == found
