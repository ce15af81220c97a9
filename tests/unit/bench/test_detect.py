"""The bench of the detectors: its figures are there and hang together, also for a handful of residents."""

from __future__ import annotations

import pytest

from bench import detect
from core.errors import BadInput


def test_figures_hang_together() -> None:
    figures = detect.run(500, seconds=0.1)
    assert figures["residents"] == 500
    assert figures["readings_per_pass"] == 2500
    assert figures["passes"] >= 3
    assert 0 < figures["seconds_per_pass"] <= figures["seconds_per_pass_max"]
    assert figures["bandwidth_seconds"] >= 0
    assert 0 < figures["bytes_per_resident_metric"] <= 2048


def test_nobody_is_no_bench() -> None:
    with pytest.raises(BadInput):
        detect.run(0)
