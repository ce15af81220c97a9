"""The fall bench measures what it says: windows at rest hold no impact, struck ones one; the picture is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alerts.detectors.falls import FallDetector
from bench.falls import picture, speed


@pytest.mark.parametrize(("make", "impacts"), [(speed._rest, 0), (speed._struck, 1)])
def test_impacts_in_the_windows_measured(make: object, impacts: int) -> None:
    for seed in range(5):
        judged: list[float] = []
        detector = FallDetector(observer=lambda _, time, score, judged=judged: judged.append(time))
        detector.consume_window(1, 0.0, speed._HZ, make(np.random.default_rng(seed)), "wrist")
        detector.flush()
        assert len(judged) == impacts


def test_time_is_measured() -> None:
    assert speed._streamed_ms(speed._rest, "waist") > 0


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    figures = {"sensitivity": [0.9, 0.8, 0.95], "specificity": [0.9, 0.8, 0.95], "specificity_older": None}
    picture.draw({"wrist": {"operating_points": [0, 1], "all": figures}}, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
