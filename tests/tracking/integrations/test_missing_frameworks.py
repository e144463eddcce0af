"""A module of an integration loads no framework before its class is asked for, and then names one that is missing."""

from pathlib import Path

import pytest
from trained import run_script

CODE = """
import sys
import tracking.integrations.{module} as module
missing = set({missing!r})
assert not {{"torch", *missing}} & set(sys.modules)

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in missing:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
for name in ({name!r}, "Other"):
    try:
        getattr(module, name)
    except (ImportError, AttributeError) as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("module", "name", "missing", "said"),
    [
        (
            "lightning",
            "TrackingLogger",
            ("lightning", "pytorch_lightning"),
            "Lightning is not installed; pip install lightning installs it",
        ),
        (
            "huggingface",
            "TrackingCallback",
            ("transformers",),
            "transformers is not installed; pip install transformers accelerate installs what its Trainer needs",
        ),
    ],
    ids=["lightning", "huggingface"],
)
def test_a_module_loads_no_framework_and_names_one_that_is_missing(
    tmp_path: Path, module: str, name: str, missing: tuple[str, ...], said: str
) -> None:
    answer = run_script(CODE.format(module=module, name=name, missing=missing), tmp_path)
    assert answer.stdout.splitlines() == [
        said,
        f"module 'tracking.integrations.{module}' has no attribute 'Other'",
    ], answer.stderr
