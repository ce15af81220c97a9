"""What every test may ask for: a real database of its own, a manual clock, a world of two institutions."""

from __future__ import annotations

import pytest

from core.clock import ManualClock

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.world",
    "tests.fixtures.brokers",
    "tests.fixtures.timescale",
]


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at a fixed moment until it is moved."""
    return ManualClock()
