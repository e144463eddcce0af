"""Assertions of modules that tests of engines share say what they have found, as those of tests do."""

import pytest

pytest.register_assert_rewrite("engine_contract", "engine_sweeps")
