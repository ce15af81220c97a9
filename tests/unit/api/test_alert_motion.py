"""The acceleration around an alert: windows in, lengths over time out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from api.alerts.motion import AFTER_SECONDS, BEFORE_SECONDS, points

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def window(start_seconds: float, samples: list[tuple[int, int, int]], hz: float = 50.0) -> dict[str, object]:
    counts = np.array(samples, "<i2").tobytes()
    return {"time": AT + timedelta(seconds=start_seconds), "hz": hz, "scale": 0.001, "counts": counts}


def test_lengths_are_in_g_and_times_from_the_alert() -> None:
    found = points([window(-0.04, [(0, 0, 1000), (0, 0, 1000), (3000, 0, 4000), (0, 0, 1000)])], AT)
    assert [(one.t, one.g) for one in found] == [(-0.04, 1.0), (0.0, 5.0)]


def test_what_lies_far_away_is_left_out() -> None:
    far = window(-BEFORE_SECONDS - 1, [(0, 0, 1000)] * int((BEFORE_SECONDS + AFTER_SECONDS + 3) * 50))
    found = points([far], AT)
    assert found[0].t == -BEFORE_SECONDS
    assert found[-1].t <= AFTER_SECONDS


def test_windows_that_overlap_give_one_line_and_gaps_stay_gaps() -> None:
    found = points(
        [window(-1.0, [(0, 0, 1000)] * 50), window(-0.5, [(0, 0, 2000)] * 25), window(2.0, [(0, 0, 1000)])], AT
    )
    times = [one.t for one in found]
    assert times == sorted(set(times))
    assert {one.g for one in found if -0.5 <= one.t < 0} == {2.0}
    assert not [one for one in times if 0.05 < one < 1.95]


def test_without_windows_there_is_nothing() -> None:
    assert points([], AT) == []
